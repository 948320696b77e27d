package main

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/ledger"
)

const drained = 60_000

// drainRows measure how fast kept records go out, with durable marks before and
// after each, beside SQLite as the queue. The upstream takes no time.
func (b *bench) drainRows() error {
	var ours, theirs, ratios []float64
	for range b.rounds {
		a, err := b.drainLedger()
		if err != nil {
			return err
		}
		s, err := b.drainSQLite()
		if err != nil {
			return err
		}
		ours, theirs, ratios = append(ours, a), append(theirs, s), append(ratios, a/s)
	}
	b.row("drain, 10,000 keys, 64 in flight, durable marks: against SQLite as the queue",
		fmt.Sprintf("%.2f  (%.0f/s beside %.0f/s)", median(ratios), median(ours), median(theirs)), ">= 4")
	return nil
}

func order(n int) *continuity.Record {
	r := &continuity.Record{
		Route: "orders", Key: continuity.KeyTag(n%10000) + 1, Caller: "public", IdempotencyKey: fmt.Sprint("bench-", n),
		Method: "POST", Target: "/orders", Host: "bench", Body: make([]byte, bodyBytes),
	}
	for i := range 8 {
		r.Receipt[i] = byte(n >> (8 * i))
		r.Receipt[8+i] = byte((n * 0x9e3779b1) >> (8 * i))
	}
	r.Receipt[15] |= 1
	return r
}

func workers(n int, do func() error) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for range n {
		wg.Go(func() {
			if err := do(); err != nil {
				mu.Lock()
				failed = errors.Join(failed, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return failed
}

func fill(l *ledger.Ledger, n int, of func(int) *continuity.Record) error {
	var next atomic.Int64
	return workers(256, func() error {
		for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
			if _, _, err := l.Accept(of(i), false); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bench) drainLedger() (rate float64, err error) {
	dir, err := os.MkdirTemp(b.dir, "drain-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	var fs slowFS
	l, log, err := openLedger(dir, 0, &fs)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	defer l.Close()
	if err := fill(l, drained, order); err != nil {
		return 0, err
	}
	var done atomic.Int64
	var marks sync.WaitGroup // outcomes that are not durable yet: the next record need not wait for them
	var failed atomic.Pointer[error]
	began := time.Now()
	err = workers(64, func() error {
		for done.Add(1) <= drained {
			st, ok := l.Claim("orders")
			for !ok {
				<-l.Ready("orders")
				st, ok = l.Claim("orders")
			}
			if _, err := l.Record(st.Position); err != nil {
				return err
			}
			if _, err := l.Attempt(st.Receipt); err != nil {
				return err
			}
			marks.Add(1)
			l.FinishAsync(continuity.Outcome{Receipt: st.Receipt, To: continuity.Delivered, Response: &continuity.Response{Status: 201}}, func(_ ledger.Status, err error) {
				if err != nil {
					failed.Store(&err)
				}
				marks.Done()
			})
		}
		return nil
	})
	marks.Wait()
	if e := failed.Load(); e != nil {
		err = errors.Join(err, *e)
	}
	return drained / time.Since(began).Seconds(), err
}

// drainSQLite takes 64 at a time: one transaction marks them as started, one as
// delivered.
func (b *bench) drainSQLite() (rate float64, err error) {
	dir, err := os.MkdirTemp(b.dir, "drain-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "held.db")
	commit, err := openSQLite(path)
	if err != nil {
		return 0, err
	}
	var next atomic.Int64
	if err := workers(256, func() error {
		for i := next.Add(1); i <= drained; i = next.Add(1) {
			if err := commit(fmt.Sprint("bench-", i), make([]byte, bodyBytes)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return 0, err
	}
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal_mode=WAL&_synchronous=FULL")
	if err != nil {
		return 0, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	mark, err := db.Prepare("update held set state = ? where id = ?")
	if err != nil {
		return 0, err
	}
	began := time.Now()
	for from := 1; from <= drained; from += 64 {
		rows, err := db.Query("select id, body from held where id >= ? and state = 1 order by id limit 64", from)
		if err != nil {
			return 0, err
		}
		var ids []int64
		for rows.Next() {
			var id int64
			var body []byte
			if err := rows.Scan(&id, &body); err != nil {
				return 0, err
			}
			ids = append(ids, id)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return 0, err
		}
		for _, state := range []int{2, 3} {
			tx, err := db.Begin()
			if err != nil {
				return 0, err
			}
			for _, id := range ids {
				if _, err := tx.Stmt(mark).Exec(state, id); err != nil {
					return 0, errors.Join(err, tx.Rollback())
				}
			}
			if err := tx.Commit(); err != nil {
				return 0, err
			}
		}
	}
	return drained / time.Since(began).Seconds(), nil
}
