//go:build measure

package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/store/storetest"
)

// TestPagesOfAMillion measures pages with 500 services and 1,000,000 events, and
// prints the times. It fills two databases and takes minutes, so it has to be
// asked for: go test -tags measure -run Million ./internal/store
func TestPagesOfAMillion(t *testing.T) {
	const services, events = 500, 1_000_000
	onBoth(t, func(t *testing.T, dsn string) {
		s := storetest.Open(t, dsn)
		begun := time.Now()
		storetest.FillEvents(t, dsn, events, services)
		t.Logf("%d events written past the store in %v", events, time.Since(begun))
		random := rand.New(rand.NewPCG(1, 2))
		some := func() time.Time { return storetest.Start.Add(time.Duration(random.IntN(events)) * time.Second) }
		for _, c := range []struct {
			name  string
			query func() continuity.EventQuery
		}{
			{"newest", func() continuity.EventQuery { return continuity.EventQuery{} }},
			{"of a service", func() continuity.EventQuery {
				return continuity.EventQuery{Service: fmt.Sprintf("service-%d", random.IntN(services))}
			}},
			{"of a service, an action", func() continuity.EventQuery {
				return continuity.EventQuery{Service: fmt.Sprintf("service-%d", random.IntN(services)), Action: "action-3"}
			}},
			{"of a service, an actor", func() continuity.EventQuery {
				return continuity.EventQuery{Service: fmt.Sprintf("service-%d", random.IntN(services)), Actor: fmt.Sprint("user-", random.IntN(20))}
			}},
			{"of an actor", func() continuity.EventQuery {
				return continuity.EventQuery{Actor: fmt.Sprint("user-", random.IntN(20))}
			}},
			{"of an object", func() continuity.EventQuery {
				n := random.IntN(20_000)
				return continuity.EventQuery{Kind: fmt.Sprint("kind-", n%7), ID: fmt.Sprint("object-", n)}
			}},
			{"of a kind", func() continuity.EventQuery { return continuity.EventQuery{Kind: "kind-3"} }},
			{"of a time", func() continuity.EventQuery {
				at := some()
				return continuity.EventQuery{After: at, Before: at.Add(time.Minute)}
			}},
			{"of a service and a time", func() continuity.EventQuery {
				return continuity.EventQuery{Service: "service-7", After: some(), Oldest: true}
			}},
		} {
			var took []time.Duration
			for range 15 {
				q := c.query()
				for range 5 {
					begun := time.Now()
					_, next, err := s.Events(t.Context(), q)
					took = append(took, time.Since(begun))
					if err != nil {
						t.Fatal(err)
					}
					if q.Cursor = next; next == "" {
						break
					}
				}
			}
			report(t, "events "+c.name, took)
		}
		var took []time.Duration
		q := continuity.Query{Kind: "kind-3"}
		for {
			begun := time.Now()
			_, next, err := s.List(t.Context(), q)
			took = append(took, time.Since(begun))
			if err != nil {
				t.Fatal(err)
			}
			if q.Cursor = next; next == "" {
				break
			}
		}
		report(t, "objects of a kind", took)
	})
}

func report(t *testing.T, what string, took []time.Duration) {
	slices.Sort(took)
	t.Logf("%-32s p50 %8v  p95 %8v  max %8v", what, took[len(took)/2].Round(time.Microsecond), took[len(took)*95/100].Round(time.Microsecond), took[len(took)-1].Round(time.Microsecond))
}
