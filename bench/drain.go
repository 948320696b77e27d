package main

import (
	"database/sql"
	"encoding/binary"
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
	binary.LittleEndian.PutUint64(r.Receipt[:], mixed(uint64(n)))
	binary.LittleEndian.PutUint64(r.Receipt[8:], mixed(^uint64(n)))
	return r
}

// mixed spreads a number over all bits, as the keyed hashes do that receipts are.
func mixed(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
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
	began := time.Now()
	err = drainAll(l, drained, &continuity.Response{Status: 201})
	return drained / time.Since(began).Seconds(), err
}

// drainAll delivers n records, 64 at once. As in the relay, an attempt waits for
// its mark, and nobody waits for an outcome's but the next of its key.
func drainAll(l *ledger.Ledger, n int64, response *continuity.Response) error {
	var done atomic.Int64
	var marks sync.WaitGroup
	var failed atomic.Pointer[error]
	err := workers(64, func() error {
		for done.Add(1) <= n {
			st, ok := l.Claim("orders")
			for !ok { // a signal wakes one of those who wait, and may be for two records
				select {
				case <-l.Ready("orders"):
				case <-time.After(time.Millisecond):
				}
				st, ok = l.Claim("orders")
			}
			if _, err := l.Record(st.Position); err != nil {
				return err
			}
			if _, err := l.Attempt(st.Receipt); err != nil {
				return err
			}
			marks.Add(1)
			l.FinishAsync(continuity.Outcome{Receipt: st.Receipt, To: continuity.Delivered, Response: response}, func(_ ledger.Status, err error) {
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
	return err
}

const badKey = continuity.KeyTag(1 << 40)

// stuckRow drains a backlog of which half stands behind one parked key, and
// counts how often the journal's files are read.
func (b *bench) stuckRow() error {
	dir, err := os.MkdirTemp(b.dir, "stuck-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var fs slowFS
	l, log, err := openLedger(dir, 0, &fs)
	if err != nil {
		return err
	}
	defer log.Close()
	defer l.Close()
	if err := fill(l, drained, func(n int) *continuity.Record {
		r := order(n)
		if r.Key = continuity.KeyTag(n); n%2 == 0 {
			r.Key = badKey
		}
		return r
	}); err != nil {
		return err
	}
	var others []ledger.Status
	for parked := false; !parked; {
		st, ok := l.Claim("orders")
		if !ok {
			return errors.New("the bad key's first record cannot be claimed")
		}
		if parked = st.Key == badKey; !parked {
			others = append(others, st)
			continue
		}
		if _, err := l.Attempt(st.Receipt); err != nil {
			return err
		}
		if _, err := l.Finish(continuity.Outcome{Receipt: st.Receipt, To: continuity.Parked, Reason: continuity.ReasonPoison}); err != nil {
			return err
		}
	}
	for _, st := range others {
		l.Release(st.Receipt)
	}
	before := fs.reads.Load()
	if err := drainAll(l, drained/2, &continuity.Response{Status: 201}); err != nil {
		return err
	}
	b.row("half the backlog behind one bad key: journal reads per delivered record of the others", fmt.Sprintf("%.3f", float64(fs.reads.Load()-before)/(drained/2)), "<= 1.01")
	return nil
}

// lifeRow keeps records and delivers them with a response of 200 B, and counts
// what the journal writes: by itself, as where segments are used again, and with
// the zeros that fresh ones are filled with.
func (b *bench) lifeRow() error {
	dir, err := os.MkdirTemp(b.dir, "life-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var fs slowFS
	l, log, err := openLedger(dir, 0, &fs)
	if err != nil {
		return err
	}
	defer log.Close()
	defer l.Close()
	if err := fill(l, drained, order); err != nil {
		return err
	}
	response := &continuity.Response{Status: 201, Header: []continuity.Field{{Name: "Content-Type", Value: "application/json"}}, Body: make([]byte, 200)}
	if err := drainAll(l, drained, response); err != nil {
		return err
	}
	zeros := fs.zeros.Load()
	b.row("an accepted 1 KB and its whole life with a 200 B response: bytes written by the journal",
		fmt.Sprintf("%.0f into segments used again; on a fresh disk also %d MB of zeros, those in hand for what is promised included", float64(fs.bytes.Load()-zeros)/drained, zeros>>20), "<= 2253")
	return nil
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
