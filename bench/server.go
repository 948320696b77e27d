package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sync/atomic"
	"time"

	_ "github.com/mattn/go-sqlite3" // the peer: SQLite as most programs have it

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/identity"
	"holdfast/internal/journal"
	"holdfast/internal/keyring"
	"holdfast/internal/ledger"
	"holdfast/internal/relay"
	"holdfast/internal/upstream"
)

// counters are what a server under test tells about itself, at /stats.
type counters struct {
	Syncs int64 `json:"syncs"`
	Bytes int64 `json:"bytes"`
}

// serve is a server under test, in a process of its own.
func serve(kind, dir string, delay time.Duration) error {
	handler, stats, err := open(kind, dir, delay)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http1.Server{Handler: func(x http1.Exchange) {
		if x.Request().Target == "/stats" {
			text, _ := json.Marshal(stats())
			_ = x.Respond(200, nil, text)
			return
		}
		handler(x)
	}}
	// As the program does: two processors beside those of the poll loops.
	server.Loops = runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(server.Loops + 2)
	fmt.Println(ln.Addr())
	finish := func() {}
	if path := os.Getenv("BENCH_CPUPROFILE"); path != "" {
		f, err := os.Create(path + "." + kind)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		finish = pprof.StopCPUProfile
	}
	go func() { // the parent's end is ours
		_, _ = io.Copy(io.Discard, os.Stdin)
		finish()
		os.Exit(0)
	}()
	return server.Serve(ln)
}

func open(kind, dir string, delay time.Duration) (http1.Handler, func() counters, error) {
	switch kind {
	case "front":
		return front(func(string, []byte) error { return nil }), func() counters { return counters{} }, nil
	case "holdfast":
		return openHoldfast(dir, delay)
	case "sqlite":
		commit, err := openSQLite(filepath.Join(dir, "held.db"))
		keep := front(commit)
		return func(x http1.Exchange) {
			x.Request().Waiter.Block() // a transaction must not hold up who shares the thread
			keep(x)
		}, func() counters { return counters{} }, err
	}
	return nil, nil, fmt.Errorf("no server is called %q", kind)
}

var answer = []byte(`{"state":"held","message":"Received, to be confirmed. The receipt tells how it goes on.","receipt":"7nqcpmtah3ym1nytf9hz8d5g7w"}`)

// front is the relay's own front, which keeps requests in another way.
func front(keep func(key string, body []byte) error) http1.Handler {
	return func(x http1.Exchange) {
		r := x.Request()
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = keep(r.Get("Idempotency-Key"), body)
		}
		if err != nil {
			_ = x.Respond(503, nil, []byte(err.Error()))
			return
		}
		_ = x.Respond(202, []continuity.Field{{Name: "Content-Type", Value: "application/json"}}, answer)
	}
}

// down is an upstream that nobody reaches.
type down struct{}

func (down) Send(context.Context, upstream.Attempt) upstream.Result {
	return upstream.Result{Class: upstream.Clean, Err: errors.New("down")}
}

var held = continuity.Route{
	ID: "orders", Match: continuity.Match{Paths: []string{"/orders"}}, Upstream: "http://127.0.0.1:1",
	Key:      continuity.Selector{Source: continuity.SourceJSON, Name: "/order_no"},
	Identity: continuity.Identity{By: continuity.IdempotentKey, Remembers: 72 * time.Hour}, Caller: "public",
	Hold:   continuity.Hold{State: continuity.HoldOn, Methods: []string{"POST"}, ItemBytes: 1 << 20, Age: 24 * time.Hour},
	Answer: &continuity.Answer{Status: 202, ContentType: "application/json"}, KeepResponse: 4096,
	Settle: time.Second, Timeouts: continuity.Timeouts{Connect: time.Second, Attempt: time.Second},
}

func openLedger(dir string, delay time.Duration, n *slowFS) (*ledger.Ledger, *journal.Files, error) {
	ring, err := keyring.New(make([]byte, 32))
	if err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	n.FS, n.delay, n.syncs, n.bytes = journal.Dir(dir), delay, new(atomic.Int64), new(atomic.Int64)
	log, _, err := journal.Open(journal.Options{FS: n, Ring: ring})
	if err != nil {
		return nil, nil, err
	}
	l, recovery, err := ledger.Open(ledger.Options{Log: log, Checkpoints: log.Checkpoints(), Routes: []continuity.Route{held}, Thread: true})
	if err != nil {
		return nil, nil, err
	}
	lastRecovery = recovery
	return l, log, nil
}

var lastRecovery ledger.Recovery

func openHoldfast(dir string, delay time.Duration) (http1.Handler, func() counters, error) {
	var fs slowFS
	l, log, err := openLedger(dir, delay, &fs)
	if err != nil {
		return nil, nil, err
	}
	secret, err := log.Secret("identity", 32)
	if err != nil {
		return nil, nil, err
	}
	if err := l.Switch(continuity.Switch{Route: "orders", Owner: "bench", Intake: continuity.IntakeHold, Replay: continuity.ReplayOff}); err != nil {
		return nil, nil, err
	}
	go func() { _ = l.Run(context.Background()) }()
	e := relay.New(relay.Options{Ledger: l, Hasher: identity.New(secret)})
	if err := e.SetRoutes([]relay.Binding{{Route: held, Sender: down{}}}, continuity.Limits{LiveBytes: 1 << 28}); err != nil {
		return nil, nil, err
	}
	return e.Handle, func() counters { return counters{fs.syncs.Load(), fs.bytes.Load()} }, nil
}

// openSQLite keeps requests in a table, many in a transaction: whoever comes
// while one commits goes into the next.
func openSQLite(path string) (func(string, []byte) error, error) {
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal_mode=WAL&_synchronous=FULL")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`create table if not exists held (id integer primary key, key text unique, state integer, body blob)`); err != nil {
		return nil, err
	}
	type item struct {
		key  string
		body []byte
		done chan error
	}
	queue := make(chan item, 1024)
	go func() {
		for first := range queue {
			batch := []item{first}
			for more := true; more && len(batch) < 512; {
				select {
				case i := <-queue:
					batch = append(batch, i)
				default:
					more = false
				}
			}
			err := func() error {
				tx, err := db.Begin()
				if err != nil {
					return err
				}
				defer func() { _ = tx.Rollback() }()
				insert, err := tx.Prepare("insert into held (key, state, body) values (?, 1, ?)")
				if err != nil {
					return err
				}
				for _, i := range batch {
					if _, err := insert.Exec(i.key, i.body); err != nil {
						return err
					}
				}
				return tx.Commit()
			}()
			for _, i := range batch {
				i.done <- err
			}
		}
	}()
	return func(key string, body []byte) error {
		done := make(chan error, 1)
		queue <- item{key, body, done}
		return <-done
	}, nil
}
