package control

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/measure"
	"holdfast/internal/warning"
)

// halting answers each query with 11, once it is let go on or the test ends.
type halting struct {
	goOn chan struct{}
	test context.Context
}

func (f *halting) Query(_ context.Context, _ string, at time.Time) ([]measure.Value, error) {
	select {
	case <-f.goOn:
	case <-f.test.Done():
	}
	return []measure.Value{{At: at, Value: 11}}, nil
}

// TestLookingWaitsForNoQuery has queries that heed no deadline: what was seen
// before stands for a minute, and then nothing is known, ended or forgotten.
func TestLookingWaitsForNoQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := measure.NewMeasure("m", "m")
		if err != nil {
			t.Fatal(err)
		}
		others := make(chan struct{})
		all := []binding.Threshold{{ID: "shop.full", Service: "shop", Rules: []measure.Rule{{ID: "shop.full", Measure: m, Limit: 10, Level: "red"}}}}
		from := &halting{make(chan struct{}), t.Context()}
		s := newThresholds(from, slog.New(slog.DiscardHandler), func() ([]binding.Threshold, <-chan struct{}) { return all, others })
		look := func(what string, known bool, level continuity.Level) warning.Sighting {
			t.Helper()
			synctest.Wait()
			seen, of := s.Look(t.Context(), time.Now())
			if len(seen) != 1 || len(of) != 2 || seen[0].Known != known || seen[0].Level != level {
				t.Fatalf("%s: %+v, %v", what, seen, of)
			}
			return seen[0]
		}
		go s.run(t.Context(), judgesEvery)
		if seen, of := s.Look(t.Context(), time.Now()); seen != nil || of != nil {
			t.Errorf("before it began: %v, %v", seen, of)
		}
		s.Begin(map[string]json.RawMessage{"shop.full": []byte(`{"rules":{"shop.full":{"status":"broken","open":true}}}`)})
		if first := look("before the first answer", false, continuity.LevelNone); string(first.Memory) == "" {
			t.Error("what was remembered is forgotten")
		}
		close(from.goOn)
		look("an answer", true, "red")

		from.goOn = make(chan struct{})
		time.Sleep(time.Minute)
		look("a minute without another", true, "red")
		time.Sleep(time.Second)
		if last := look("longer", false, continuity.LevelNone); string(last.Memory) == "" {
			t.Error("what was remembered is forgotten")
		}
		close(from.goOn)
		look("an answer again", true, "red")

		before := others
		all, others = nil, make(chan struct{})
		close(before)
		synctest.Wait()
		if seen, of := s.Look(t.Context(), time.Now()); len(seen) != 0 || len(of) != 2 {
			t.Errorf("without thresholds: %v, %v", seen, of)
		}
	})
}

// TestThresholdsBesideOnesThatCannotHold has two rules of one id, as no plan makes
// that was checked: they keep no other plan's from holding.
func TestThresholdsBesideOnesThatCannotHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := measure.NewMeasure("m", "m")
		if err != nil {
			t.Fatal(err)
		}
		var all []binding.Threshold
		for _, id := range []string{"shop.", "shop.", "till.full"} {
			all = append(all, binding.Threshold{ID: id, Rules: []measure.Rule{{ID: id, Measure: m, Limit: 10, Level: "red"}}})
		}
		from := &halting{make(chan struct{}), t.Context()}
		close(from.goOn)
		s := newThresholds(from, slog.New(slog.DiscardHandler), func() ([]binding.Threshold, <-chan struct{}) { return all, make(chan struct{}) })
		s.Begin(nil)
		go s.run(t.Context(), judgesEvery)
		synctest.Wait()
		seen, of := s.Look(t.Context(), time.Now())
		if len(seen) != 3 || len(of) != 2 || seen[2].ID != "till.full" || seen[2].Level != "red" {
			t.Errorf("%+v, %v", seen, of)
		}
	})
}
