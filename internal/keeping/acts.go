package keeping

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// Store is where objects are kept.
type Store interface {
	Reader
	Commit(context.Context, continuity.Batch) ([]continuity.Object, error)
}

// ActsOptions are what Acts need.
type ActsOptions struct {
	Store Store
	Plans Plans
	Now   func() time.Time
	// Progress is how far works on a set got that this node does; nil: it does none.
	Progress func(id string) []Progress
}

// Acts are what people see of backups and do with them, on any node.
type Acts struct{ o ActsOptions }

// NewActs makes them.
func NewActs(o ActsOptions) *Acts {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Acts{o}
}

// SetShown is a set of data as people see it.
type SetShown struct {
	continuity.BackupSet

	Name     continuity.Text `json:"name,omitzero"`
	State    string          `json:"state"`
	Problems []SetProblem    `json:"problems,omitempty"`
	Safe     time.Time       `json:"safe,omitzero"` // before it everything was on a target, or a backup was made then
	Schedule string          `json:"schedule"`
	Zone     string          `json:"zone"`
	Targets  []string        `json:"targets"`
	Holds    []string        `json:"holds"`
	Follows  bool            `json:"follows"`
	Keep     int64           `json:"keep_proven"`
	Progress []Progress      `json:"progress,omitempty"` // of what the asked node does at the moment
	version  int64
}

// SetProblem is what is not as it should be with a set.
type SetProblem struct {
	Problem string                 `json:"problem"` // stale, faulty, unproven, failing
	Since   time.Time              `json:"since,omitzero"`
	Level   continuity.Level       `json:"level"`
	Why     continuity.CheckReason `json:"why,omitzero"`
}

// Version is the stored object's; 0: the leader has not written it yet.
func (s *SetShown) Version() int64 { return s.version }

// Sets are the sets of data that plans have backed up, of one service or of all.
func (a *Acts) Sets(ctx context.Context, service string) ([]SetShown, error) {
	all, err := Standings(ctx, a.o.Store)
	if err != nil {
		return nil, err
	}
	sets, _ := a.o.Plans.Sets()
	shown := []SetShown{}
	for i := range sets {
		if service == "" || sets[i].Service == service {
			shown = append(shown, a.show(&sets[i], all))
		}
	}
	slices.SortFunc(shown, func(a, b SetShown) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return shown, nil
}

func (a *Acts) show(set *Set, all map[string]Standing) SetShown {
	s, there := all[set.Key()]
	if !there {
		s.BackupSet = continuity.BackupSet{ID: set.Key(), Service: set.Service, Set: set.ID, Kind: set.Kind, Every: set.Every, Since: a.o.Now().UTC()}
	}
	now := a.o.Now()
	shown := SetShown{
		BackupSet: s.BackupSet, Name: set.Name, State: State(set, &s, now), Safe: s.Safe, Schedule: set.Written, Zone: set.Zone.String(),
		Targets: set.Targets, Holds: set.Holds, Follows: set.Follow, Keep: int64(set.Proven), version: s.Version,
	}
	if a.o.Progress != nil {
		shown.Progress = a.o.Progress(set.Key())
	}
	problems := Problems(set, &s, now)
	if p, tries := failing(&s); tries == 1 {
		problems = append(problems, p)
	}
	for _, p := range problems {
		shown.Problems = append(shown.Problems, SetProblem{Problem: p.ID, Since: p.Since, Level: p.Level, Why: p.Why})
	}
	return shown
}

// Set is one of them.
func (a *Acts) Set(ctx context.Context, service, id string) (SetShown, error) {
	set, err := a.set(service, id)
	if err != nil {
		return SetShown{}, err
	}
	all := map[string]Standing{}
	o, err := a.o.Store.Get(ctx, continuity.KindBackupSet, set.Key())
	if err == nil {
		all[o.ID], err = standingOf(ctx, a.o.Store, o)
	}
	if err != nil && continuity.CodeOf(err) != continuity.CodeNotFound {
		return SetShown{}, err
	}
	return a.show(set, all), nil
}

func (a *Acts) set(service, id string) (*Set, error) {
	sets, _ := a.o.Plans.Sets()
	for i := range sets {
		if sets[i].Service == service && sets[i].ID == id {
			return &sets[i], nil
		}
	}
	return nil, continuity.E(continuity.CodeNotFound, nil, "detail_id", "keeping.invalid.set", "set", id, "service", service)
}

// Backups are those of a set that stand on targets, or of all sets, by their keys.
func (a *Acts) Backups(ctx context.Context, service, set, cursor string, limit int) (page []continuity.Backup, next string, err error) {
	page = []continuity.Backup{}
	for next = cursor; ; {
		objects, after, err := a.o.Store.List(ctx, continuity.Query{Kind: continuity.KindBackup, Service: service, Cursor: next, Limit: limit})
		if err != nil {
			return nil, "", err
		}
		for _, o := range objects {
			var b continuity.Backup
			if err := json.Unmarshal(o.Body, &b); err != nil {
				return nil, "", err
			}
			if set == "" || b.Set == set {
				page = append(page, b)
			}
		}
		if next = after; next == "" || len(page) > 0 {
			return page, next, nil
		}
	}
}

// Backup is one of them.
func (a *Acts) Backup(ctx context.Context, service, set, piece string) (b continuity.Backup, version int64, err error) {
	o, err := a.o.Store.Get(ctx, continuity.KindBackup, service+"/"+set+"/"+piece)
	if err != nil {
		return b, 0, err
	}
	return b, o.Version, json.Unmarshal(o.Body, &b)
}

// tries is how often a change is made anew that somebody else was faster than.
const tries = 8

// Ask has a work done on a set as soon as can be: a full backup, the removal of what
// need not be kept, the proof of a backup or of the newest. What is asked for already
// is not asked for twice.
func (a *Acts) Ask(ctx context.Context, by continuity.Actor, service, id, work, piece string) (continuity.BackupWork, error) {
	set, err := a.set(service, id)
	if err != nil {
		return continuity.BackupWork{}, err
	}
	if !slices.Contains([]string{continuity.WorkFull, continuity.WorkVerify, continuity.WorkPrune}, work) {
		return continuity.BackupWork{}, continuity.E(continuity.CodeInvalid, nil, "detail_id", "keeping.invalid.work", "work", work)
	}
	if piece != "" {
		if _, _, err := a.Backup(ctx, service, id, piece); err != nil {
			return continuity.BackupWork{}, err
		}
	}
	var last error
	for range tries {
		o, err := a.o.Store.Get(ctx, continuity.KindBackupSet, set.Key())
		if err != nil {
			return continuity.BackupWork{}, err
		}
		var s continuity.BackupSet
		if err := json.Unmarshal(o.Body, &s); err != nil {
			return continuity.BackupWork{}, err
		}
		if asked := s.Asked; asked != nil {
			if asked.Work == work && asked.Backup == piece {
				return *asked, nil
			}
			return continuity.BackupWork{}, continuity.E(continuity.CodeState, nil, "detail_id", "keeping.invalid.busy", "set", id, "work", asked.Work, "name", asked.By.ID)
		}
		s.Asked = &continuity.BackupWork{Work: work, By: by, Asked: a.o.Now().UTC().Truncate(time.Microsecond), Backup: piece}
		_, last = a.o.Store.Commit(ctx, continuity.Batch{Actor: by, Changes: []continuity.Change{
			continuity.Set(continuity.KindBackupSet, o.ID, o.Service, o.Version, "backup-set.asked", work, s),
		}})
		if last == nil {
			return *s.Asked, nil
		}
		if continuity.CodeOf(last) != continuity.CodeVersion {
			break
		}
	}
	return continuity.BackupWork{}, last
}

// Answer is what became of a work that was asked for; done is false while it goes on.
func (a *Acts) Answer(ctx context.Context, service, id string, asked time.Time) (work continuity.BackupWork, done bool, err error) {
	o, err := a.o.Store.Get(ctx, continuity.KindBackupSet, service+"/"+id)
	if err != nil {
		return work, false, err
	}
	var s continuity.BackupSet
	if err := json.Unmarshal(o.Body, &s); err != nil {
		return work, false, err
	}
	if s.Answered != nil && s.Answered.Asked.Equal(asked) {
		return *s.Answered, true, nil
	}
	if s.Asked == nil || !s.Asked.Asked.Equal(asked) {
		return work, true, continuity.E(continuity.CodeNotFound, nil, "detail_id", "keeping.invalid.answer", "set", id)
	}
	return *s.Asked, false, nil
}
