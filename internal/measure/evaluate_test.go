package measure_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"

	"holdfast/internal/measure"
)

// slowly answers at once, but for measures whose names begin with slow: those it
// works on for as long as it may.
type slowly struct {
	began time.Time

	mu    sync.Mutex
	after map[string]time.Duration // until each was answered
}

func (s *slowly) Query(ctx context.Context, expr string, at time.Time) ([]measure.Value, error) {
	var err error
	if strings.HasPrefix(expr, "slow") {
		<-ctx.Done()
		err = ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after[expr] = time.Since(s.began)
	return []measure.Value{{At: at, Value: 11}}, err
}

// TestASlowThresholdHoldsUpNoOther has more thresholds that find no end than
// there is time for: they are unknown, and the others wait for them once only.
func TestASlowThresholdHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &slowly{}
		e := measure.NewEvaluator(source, quiet(), nil)
		var rules []measure.Rule
		for i := range 5 {
			for _, name := range []string{"slow", "quick"} {
				name = fmt.Sprint(name, i)
				rules = append(rules, measure.Rule{ID: name, Measure: named(t, name), Limit: 10})
			}
		}
		set(t, e, rules...)
		for round := range 3 {
			source.began, source.after = time.Now(), map[string]time.Duration{}
			at := time.Now()
			e.Evaluate(t.Context(), at)
			if took := time.Since(at); took > 15*time.Second {
				t.Errorf("round %d took %s", round, took)
			}
			states := e.States(time.Now())
			for i := range 5 {
				slow, quick := fmt.Sprint("slow", i), fmt.Sprint("quick", i)
				if states[slow].Status != measure.Unknown || states[quick].Status != measure.Broken {
					t.Errorf("round %d: %s %s, %s %s", round, slow, states[slow].Status, quick, states[quick].Status)
				}
				if round > 0 && source.after[quick] != 0 {
					t.Errorf("round %d: %s waited for %s", round, quick, source.after[quick])
				}
			}
		}
	})
}

// TestAnOldEvaluationSaysNothing and ends nothing.
func TestAnOldEvaluationSaysNothing(t *testing.T) {
	e := measure.NewEvaluator(&slowly{after: map[string]time.Duration{}}, quiet(), nil)
	set(t, e, measure.Rule{ID: "r", Measure: named(t, "quick"), Limit: 10})
	e.Evaluate(t.Context(), noon)
	for after, want := range map[time.Duration]measure.Status{
		-2 * time.Minute: measure.Unknown, 0: measure.Broken, time.Minute: measure.Broken, 61 * time.Second: measure.Unknown,
	} {
		if s := e.States(noon.Add(after))["r"]; s.Status != want || !s.Open {
			t.Errorf("after %s: %+v", after, s)
		}
	}
}

// TestRulesDoNotWaitForPeople fills every place that people have.
func TestRulesDoNotWaitForPeople(t *testing.T) {
	db := open(t, measure.Options{})
	ctx, leave := context.WithCancel(t.Context())
	var people sync.WaitGroup
	defer people.Wait()
	defer leave()
	for range 4 {
		inside := make(chan struct{})
		people.Go(func() {
			_ = db.View(ctx, func(ctx context.Context, _ storage.Queryable, _ *promql.Engine) error {
				close(inside)
				<-ctx.Done()
				return nil
			})
		})
		<-inside
	}
	e := measure.NewEvaluator(db.ForRules(), quiet(), nil)
	set(t, e, measure.Rule{ID: "r", Measure: named(t, "vector(11)"), Limit: 10})
	e.Evaluate(t.Context(), noon)
	if s := e.States(noon)["r"]; s.Status != measure.Broken {
		t.Errorf("%+v", s)
	}
}
