//go:build measure

package storetest

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
)

// FillEvents writes so many events past the store, without a chain: pages don't look at it.
func FillEvents(t *testing.T, dsn string, events, services int) {
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
		numbers(events), Start.UnixMicro(), services, sum), []byte("0123456789abcdef0123456789abcdef"))
	exec(numbers(20_000) + `INSERT INTO object (kind, id, service, version, body, updated)
		SELECT 'kind-' || (n % 7), 'object-' || n, 'service-' || (n % 500), n, '{"n":1}', n FROM number`)
	exec(after)
}
