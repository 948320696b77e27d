//go:build measure

package store_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
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
		fill(t, dsn, events, services)
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

// fill writes rows as they come, without a chain: pages don't look at it.
func fill(t *testing.T, dsn string, events, services int) {
	driver, sum, before, after := "sqlite", "?1", "PRAGMA cache_size(-1000000)", "SELECT 1"
	if strings.HasPrefix(dsn, "postgres") {
		driver, sum, before, after = "pgx", "CAST($1 AS BYTEA)", "SELECT 1", "ANALYZE"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	numbers := func(n int) string {
		return fmt.Sprintf("WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < %d) ", n)
	}
	db.SetMaxOpenConns(1)
	exec := func(text string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), text, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(before)
	exec(fmt.Sprintf(`%s INSERT INTO event (seq, at, actor_kind, actor, via, action, kind, id, service, reason, was, became, salt, was_sum, became_sum, prev, hash)
		SELECT n, %d + CAST(n AS BIGINT) * 1000000, 'user', 'user-' || (n %% 19), 'api', 'action-' || (n %% 11), 'kind-' || (n %% 7), 'object-' || (n %% 20000), 'service-' || (n %% %d), '',
			'{"n":"something of usual length"}', '{"n":"something else of usual length"}', %s, %[4]s, %[4]s, %[4]s, %[4]s FROM number`,
		numbers(events), storetest.Start.UnixMicro(), services, sum), []byte("0123456789abcdef0123456789abcdef"))
	exec(numbers(20_000) + `INSERT INTO object (kind, id, service, version, body, updated)
		SELECT 'kind-' || (n % 7), 'object-' || n, 'service-' || (n % 500), n, '{"n":1}', n FROM number`)
	exec(after)
}

func report(t *testing.T, what string, took []time.Duration) {
	slices.Sort(took)
	t.Logf("%-32s p50 %8v  p95 %8v  max %8v", what, took[len(took)/2].Round(time.Microsecond), took[len(took)*95/100].Round(time.Microsecond), took[len(took)-1].Round(time.Microsecond))
}
