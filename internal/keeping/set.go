package keeping

import (
	"slices"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
	"holdfast/internal/secret"
)

// Set is a set of data as its plan wants it backed up.
type Set struct {
	Service string
	ID      string
	Name    continuity.Text
	Owner   string
	Kind    string
	DSN     secret.Ref
	Path    string
	Stanza  string
	Tables  []string
	Queries []backup.Query
	Targets []string

	Every   time.Duration
	Follow  bool
	Deltas  bool // what changed is captured between full backups
	Full    calendar.Cron
	Written string // the schedule as it is written
	Zone    *time.Location
	Jitter  time.Duration
	Keep    time.Duration
	Proven  int
	Verify  time.Duration // the newest backup is proven again after so long
	Aside   time.Duration // so long what a restore put aside is kept; 0: until people have it removed

	Restore string // the runbook
	Holds   []string
}

// Key is how the set is known on a node.
func (s *Set) Key() string { return s.Service + "/" + s.ID }

// same says whether nothing of the set is another.
func (s *Set) same(t *Set) bool {
	return s.Kind == t.Kind && s.DSN == t.DSN && s.Path == t.Path && s.Stanza == t.Stanza &&
		slices.Equal(s.Tables, t.Tables) && slices.Equal(s.Queries, t.Queries) && slices.Equal(s.Targets, t.Targets) && s.Follow == t.Follow
}

// Limits of what is in time.
const (
	// leastStale is how long nothing new may come at least: real-time sets are noted as
	// safe every few seconds.
	leastStale = time.Minute
	// provenWithin is how soon every full backup is to be proven.
	provenWithin = 24 * time.Hour
)

// Stale is how long nothing new may come before somebody is told: 1.5 times the
// interval.
func (s *Set) Stale() time.Duration { return max(s.Every+s.Every/2, leastStale) }

// AsideUntil is when what was put aside at a moment is removed by itself: when the plan of
// each of these sets says so. The zero time: not by itself.
func AsideUntil(plans Plans, r *continuity.Restore, at time.Time) (until time.Time) {
	all, _ := plans.Sets()
	for i := range r.Sets {
		j := slices.IndexFunc(all, func(s Set) bool { return s.Service == r.Service && s.ID == r.Sets[i].Set })
		if j < 0 || all[j].Aside <= 0 {
			return time.Time{}
		}
		if end := at.Add(all[j].Aside); end.After(until) {
			until = end
		}
	}
	return until
}

// NextFull is when a full backup is due that comes after another one.
func (s *Set) NextFull(after time.Time) time.Time {
	jitter := calendar.Jitter(s.Key(), s.Jitter)
	return s.Full.Next(after.Add(-jitter), s.Zone).Add(jitter)
}
