package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"holdfast/internal/backup/postgres"
	"holdfast/internal/pgtest"
)

// busy has clients write rows as fast as they can, in each way in which a transaction can
// end: at once or later, in parts, prepared, not at all. So at each moment some are in the
// middle of ending. Others wait in transactions that began long ago.
func busy(t *testing.T, dsn string, clients, first int, seed uint64, lazy bool) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	stop = sync.OnceFunc(func() {
		cancel()
		done.Wait()
	})
	t.Cleanup(stop)
	for c := range clients {
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			t.Fatal(err)
		}
		done.Go(func() {
			defer conn.Close(context.WithoutCancel(ctx))
			random := rand.New(rand.NewPCG(seed, uint64(c))) // #nosec G115 G404 -- repeatable
			for n := first; ctx.Err() == nil; n++ {
				id := n*100 + c
				insert := fmt.Sprintf("INSERT INTO busy VALUES (%d, %d)", id, random.IntN(1000))
				statements, then := "BEGIN; "+insert+"; ", "SELECT"
				switch random.IntN(8) {
				case 0:
					statements += "SAVEPOINT a; INSERT INTO busy VALUES (" + fmt.Sprint(-id-1) + ", 0); ROLLBACK TO a; COMMIT"
				case 1:
					statements += "SAVEPOINT a; INSERT INTO busy VALUES (" + fmt.Sprint(-id-1) + ", 0); RELEASE a; COMMIT"
				case 2:
					statements += fmt.Sprintf("PREPARE TRANSACTION 'p%d'", id)
					then = fmt.Sprintf("COMMIT PREPARED 'p%d'", id)
				case 3:
					statements += "ROLLBACK"
				case 4:
					if lazy {
						statements += "SET LOCAL synchronous_commit = off; COMMIT"
					} else {
						statements += "COMMIT"
					}
				default:
					statements = insert
				}
				_, err := conn.PgConn().Exec(ctx, statements).ReadAll()
				if err == nil {
					_, err = conn.PgConn().Exec(ctx, then).ReadAll()
				}
				if err != nil && ctx.Err() == nil {
					t.Errorf("%v: %s", err, statements)
					return
				}
			}
		})
	}
	return stop
}

// Where a snapshot is said to be exact, exactly what it shows has ended by what the server
// itself reads of its log, however much is under way.
func TestPlacesOfSnapshotsAreExact(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	// An end takes some milliseconds between the log and being seen by others.
	server := pgtest.NewServer(t, "wal_level=logical", "max_prepared_transactions=50", "fsync=on", "commit_delay=3000", "commit_siblings=1")
	dsn := server.DSN("postgres")
	pgtest.Exec(t, dsn, `CREATE TABLE busy (id bigint PRIMARY KEY, x int); CREATE MATERIALIZED VIEW sums AS SELECT sum(x) FROM busy`)
	ask[string](t, dsn, "SELECT pg_create_logical_replication_slot('oracle', 'test_decoding')::text")
	old, err := pgx.Connect(t.Context(), dsn)
	if err == nil {
		_, err = old.PgConn().Exec(t.Context(), "BEGIN; INSERT INTO busy VALUES (-1000000000, 0)").ReadAll()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close(context.WithoutCancel(t.Context()))
	pgtest.Exec(t, dsn, "BEGIN; INSERT INTO busy VALUES (-1000000001, 0); PREPARE TRANSACTION 'old'")

	type seen struct {
		at  postgres.LSN
		ids []int64
	}
	var all []seen
	for round, lazy := range []bool{false, true} {
		began := time.Now()
		stop := busy(t, dsn, 8, round*1_000_000, seed, lazy)
		o := postgres.Options{DSN: dsn, Spool: filepath.Join(t.TempDir(), "spool")}
		err := postgres.Stills(t.Context(), o, *places, func(at postgres.LSN, reader *pgx.Conn) error {
			var ids []int64
			err := reader.QueryRow(t.Context(), "SELECT coalesce(array_agg(id ORDER BY id), '{}') FROM busy").Scan(&ids)
			all = append(all, seen{at, ids})
			return err
		})
		stop()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d places in %s", len(all), time.Since(began))
	}

	// What the log says: rows in the order in which their transactions ended.
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	rows, err := conn.Query(t.Context(), "SELECT lsn::text, data FROM pg_logical_slot_get_changes('oracle', NULL, NULL)")
	if err != nil {
		t.Fatal(err)
	}
	var there, ending []int64
	var lsn, data string
	next := 0
	check := func(until postgres.LSN) { // of those places that are before this end
		for ; next < len(all) && all[next].at < until; next++ {
			slices.Sort(there)
			if !slices.Equal(there, all[next].ids) {
				t.Errorf("place %d, %s: the log has -, the snapshot +:\n%s", next, all[next].at, cmp.Diff(there, all[next].ids))
			}
		}
	}
	_, err = pgx.ForEachRow(rows, []any{&lsn, &data}, func() error {
		var id int64
		switch {
		case strings.HasPrefix(data, "BEGIN"):
			ending = nil
		case strings.HasPrefix(data, "COMMIT"):
			at, err := postgres.ParseLSN(lsn)
			if err != nil {
				return err
			}
			check(at)
			there = append(there, ending...)
		default:
			if _, err := fmt.Sscanf(data, "table public.busy: INSERT: id[bigint]:%d", &id); err != nil {
				return fmt.Errorf("%w: %s", err, data)
			}
			ending = append(ending, id)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	check(1 << 63)
	t.Logf("%d places, the last with %d rows", len(all), len(all[len(all)-1].ids))
}
