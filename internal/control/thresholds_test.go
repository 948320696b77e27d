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
		s := newThresholds(from, slog.New(slog.DiscardHandler), func() thresholdsNow { return thresholdsNow{all: all, changed: others} })
		look := func(what string, known bool, level continuity.Level) warning.Sighting {
			t.Helper()
			synctest.Wait()
			look := s.Look(t.Context(), time.Now())
			seen, of := look.All, look.Of
			if len(seen) != 1 || len(of) != 2 || seen[0].Known != known || seen[0].Level != level {
				t.Fatalf("%s: %+v, %v", what, seen, of)
			}
			return seen[0]
		}
		go s.run(t.Context(), judgesEvery)
		if look := s.Look(t.Context(), time.Now()); look.All != nil || look.Of != nil {
			t.Errorf("before it began: %v", look)
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
		if look := s.Look(t.Context(), time.Now()); len(look.All) != 0 || len(look.Of) != 2 {
			t.Errorf("without thresholds: %v", look)
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
		s := newThresholds(from, slog.New(slog.DiscardHandler), func() thresholdsNow { return thresholdsNow{all: all, changed: make(chan struct{})} })
		s.Begin(nil)
		go s.run(t.Context(), judgesEvery)
		synctest.Wait()
		look := s.Look(t.Context(), time.Now())
		seen, of := look.All, look.Of
		if len(seen) != 3 || len(of) != 2 || seen[2].ID != "till.full" || seen[2].Level != "red" {
			t.Errorf("%+v, %v", seen, of)
		}
	})
}
