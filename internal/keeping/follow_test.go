package keeping_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/keeping"
)

// lines is a log.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(line))
	return len(line), nil
}

// have are the lines that have a text.
func (l *lines) have(text string) (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.all {
		if strings.Contains(line, text) {
			all = append(all, line)
		}
	}
	return all
}

// TestFollowingIsKeptGoing breaks it, and has what it noted judged by the clock.
func TestFollowingIsKeptGoing(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.sets = []keeping.Set{orders(t, func(s *keeping.Set) { s.Follow, s.Every = true, time.Second })}
		set := &w.sets[0]
		w.rest("full", proven)
		w.safe <- w.clock()
		s := w.rest("it goes", func(s keeping.Standing) bool { return s.Follow != nil && !s.Follow.Failing })
		w.mu.Lock()
		w.now = w.now.Add(50 * time.Second)
		w.mu.Unlock()
		w.safe <- w.clock()
		w.safe <- w.clock() // the one before was noted
		if s = w.standing(); !s.Safe.Equal(w.clock()) || keeping.State(set, &s, w.clock()) != continuity.SetGreen {
			t.Errorf("%s at %s", s.Safe, w.clock())
		}
		before, _, err := w.store.LastEvent(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// Silence is noticed though nobody says that anything fails.
		w.pass(61 * time.Second)
		if s = w.standing(); keeping.State(set, &s, w.clock()) != continuity.SetStale {
			t.Errorf("%+v", s)
		}
		w.safe <- w.clock()
		w.safe <- w.clock()
		if s = w.standing(); keeping.State(set, &s, w.clock()) != continuity.SetGreen {
			t.Errorf("%+v", s)
		}
		if after, _, _ := w.store.LastEvent(t.Context()); after != before {
			t.Errorf("%d events of nothing", after-before)
		}
		for try := 1; try <= 3; try++ {
			w.broken <- continuity.E(continuity.CodeUnreachable, errors.New("no database"))
			w.rest("it failed", func(s keeping.Standing) bool { return s.Follow.Failing && s.Follow.Tries == try })
			w.pass(10 * time.Second)
		}
		if s = w.standing(); len(keeping.Problems(set, &s, w.clock())) == 0 {
			t.Error("nobody is told")
		}
		if said := w.log.have("changes are not copied"); len(said) != 2 || !strings.Contains(said[1], "set=shop/orders targets=far tries=2 reason=error.unreachable") {
			t.Errorf("three failures, within a minute: %q", said)
		}
		w.safe <- w.clock()
		w.rest("it goes on", func(s keeping.Standing) bool { return !s.Follow.Failing })
		// A fault that somebody saw on a target is told of.
		w.mu.Lock()
		w.faults = []continuity.BackupFault{{Kind: "missing", Target: "far", From: "0/3000000", To: "0/4000000"}}
		w.mu.Unlock()
		w.pass(6 * time.Minute)
		s = w.rest("the fault", func(s keeping.Standing) bool { return len(s.Faults) > 0 })
		if p := keeping.Problems(set, &s, w.clock()); p[0].ID != continuity.SetFaulty && p[1].ID != continuity.SetFaulty {
			t.Errorf("%+v", p)
		}
	})
}
