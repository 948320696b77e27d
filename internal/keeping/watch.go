package keeping

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// Reader is what a store shows.
type Reader interface {
	Get(ctx context.Context, kind, id string) (continuity.Object, error)
	List(ctx context.Context, q continuity.Query) (page []continuity.Object, next string, err error)
	Seen(ctx context.Context, kind, id string) (time.Time, error)
}

// Plans are what plans say at a moment.
type Plans interface {
	// Sets are those of all plans that hold; unread are the services of whose plans not
	// all can be read.
	Sets() (all []Set, unread map[string]bool)
}

// Standing is what is known of a set, and when something of it was last safe.
type Standing struct {
	continuity.BackupSet
	Version int64
	Safe    time.Time
}

// Standings are how all sets stand, by their keys.
func Standings(ctx context.Context, store Reader) (map[string]Standing, error) {
	all := map[string]Standing{}
	for cursor := ""; ; {
		page, next, err := store.List(ctx, continuity.Query{Kind: continuity.KindBackupSet, Cursor: cursor, Limit: 1000})
		if err != nil {
			return nil, err
		}
		for _, o := range page {
			s, err := standingOf(ctx, store, o)
			if err != nil {
				return nil, err
			}
			all[o.ID] = s
		}
		if cursor = next; cursor == "" {
			return all, nil
		}
	}
}

func standingOf(ctx context.Context, store Reader, o continuity.Object) (Standing, error) {
	s := Standing{Version: o.Version}
	if err := json.Unmarshal(o.Body, &s.BackupSet); err != nil {
		return s, err
	}
	seen, err := store.Seen(ctx, o.Kind, o.ID)
	if s.Captured != nil {
		s.Safe = s.Captured.Ended
	}
	if seen.After(s.Safe) {
		s.Safe = seen
	}
	return s, err
}

// ProblemIDs are all that can be wrong with a set.
func ProblemIDs() []string {
	return []string{continuity.SetStale, continuity.SetFaulty, continuity.SetUnproven, continuity.SetFailing}
}

// Problem is something that is not as it should be with a set.
type Problem struct {
	ID    string
	Since time.Time // zero: nobody knows
	Level continuity.Level
	Why   continuity.CheckReason
}

// Problems are what is wrong with a set at a moment, the worst first.
func Problems(set *Set, s *Standing, now time.Time) (all []Problem) {
	if stale, since := staleSince(set, s, now); stale {
		all = append(all, Problem{ID: continuity.SetStale, Since: since, Level: continuity.LevelOrange})
	}
	if refuted := s.Proven != nil && !s.Proven.Good; refuted || len(s.Faults) > 0 {
		p := Problem{ID: continuity.SetFaulty, Level: continuity.LevelOrange}
		if refuted {
			p.Since, p.Why = s.Proven.Ended, s.Proven.Why
		} else {
			p.Why = faultReason(s.Faults[0])
		}
		all = append(all, p)
	}
	if late := s.Waits.Add(provenWithin); !s.Waits.IsZero() && now.After(late) {
		all = append(all, Problem{ID: continuity.SetUnproven, Since: late, Level: continuity.LevelYellow})
	}
	if p, tries := failing(s); tries > 1 { // once is shown, and calls nobody
		all = append(all, p)
	} else if lacks := lacking(s); lacks != "" {
		why := continuity.CheckReason{Code: "keeping.why.away", Args: map[string]any{"targets": lacks}}
		all = append(all, Problem{ID: continuity.SetFailing, Level: continuity.LevelYellow, Why: why})
	}
	return all
}

// lacking are the targets that could not be asked when it was last looked, or did not
// take the newest backup.
func lacking(s *Standing) string {
	var names []string
	results := s.Away
	if s.Captured != nil {
		results = slices.Concat(s.Captured.Targets, s.Away)
	}
	for _, r := range results {
		if r.Why.Code != "" && !slices.Contains(names, r.Target) {
			names = append(names, r.Target)
		}
	}
	return strings.Join(names, ", ")
}

// staleSince says whether nothing new has come for too long, and since when that is too
// long. What was noted by a clock that is ahead says nothing.
func staleSince(set *Set, s *Standing, now time.Time) (bool, time.Time) {
	safe := s.Safe
	if safe.IsZero() || safe.After(now.Add(leastStale)) {
		safe = s.Since
	}
	if safe.After(now.Add(leastStale)) {
		return true, now
	}
	late := safe.Add(set.Stale())
	return now.After(late), late
}

// State is how a set stands, in one word.
func State(set *Set, s *Standing, now time.Time) string {
	state := continuity.SetGreen
	if s.Safe.IsZero() {
		state = continuity.SetWaiting
	} else if s.Proven == nil || !s.Waits.IsZero() {
		state = continuity.SetUnproven
	} else if lacking(s) != "" {
		state = continuity.SetLacking
	}
	if _, tries := failing(s); tries > 0 {
		state = continuity.SetFailing
	}
	problems := Problems(set, s, now)
	for _, id := range []string{continuity.SetStale, continuity.SetFaulty} {
		if slices.ContainsFunc(problems, func(p Problem) bool { return p.ID == id }) {
			state = id
		}
	}
	return state
}

// failing is what fails at present of what is done for a set, and how often in a row it
// did. That a node died once is no failure.
func failing(s *Standing) (p Problem, tries int) {
	p = Problem{ID: continuity.SetFailing, Level: continuity.LevelYellow}
	if f := s.Failing; f != nil && (f.Why.Code != interrupted || f.Tries > 1) {
		p.Since, p.Why, tries = f.Started, f.Why, f.Tries
	}
	if f := s.Follow; f != nil && f.Failing && f.Tries > tries {
		p.Since, p.Why, tries = f.Since, f.Why, f.Tries
	}
	return p, tries
}

func faultReason(f continuity.BackupFault) continuity.CheckReason {
	return continuity.CheckReason{Code: "keeping.fault." + f.Kind, Args: map[string]any{"target": f.Target, "backup": f.Backup, "from": f.From, "to": f.To}}
}
