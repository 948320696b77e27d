package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// powerCutRow cuts the power of a database host under load: the server and the Holdfast
// beside it end in the same moment, and what lies elsewhere is restored.
func (b *bench) powerCutRow(dir string) error {
	var oldest time.Duration
	acknowledged, lost := 0, 0
	for i := range b.rounds {
		age, all, gone, err := b.powerCut(filepath.Join(dir, fmt.Sprint("cut-", i)))
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "power cut: %d acknowledged, %d lost, the oldest %v before\n", all, gone, age.Round(time.Millisecond))
		oldest, acknowledged, lost = max(oldest, age), acknowledged+all, lost+gone
	}
	b.row(fmt.Sprintf("PostgreSQL, power cut under load, %d times: age of the oldest acknowledged transaction that is lost", b.rounds),
		fmt.Sprintf("%d ms; %d lost of %d", oldest.Milliseconds(), lost, acknowledged), "< 1 s")
	return nil
}

func (b *bench) powerCut(dir string) (oldest time.Duration, acknowledged, lost int, err error) {
	if err := os.Mkdir(dir, 0o711); err != nil {
		return 0, 0, 0, err
	}
	s, err := startBackedUp(filepath.Join(dir, "server"), 0)
	if err != nil {
		return 0, 0, 0, err
	}
	stop := sync.OnceFunc(s.stop)
	defer stop()
	k, err := b.newKeeper(dir, s)
	if err != nil {
		return 0, 0, 0, err
	}
	follow := k.run("--follow")
	follow.Stderr = os.Stderr
	out, err := follow.StdoutPipe()
	if err != nil {
		return 0, 0, 0, err
	}
	follow.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := follow.Start(); err != nil {
		return 0, 0, 0, err
	}
	end := sync.OnceFunc(func() {
		_ = follow.Process.Kill() // fails only where it has ended
		_ = follow.Wait()
	})
	defer end()
	w := s.load(4)
	defer w.end()
	said := json.NewDecoder(out)
	for n := 0; n < 10; n++ { // the full copy, and that changes come behind it
		if err := said.Decode(new(json.RawMessage)); err != nil {
			return 0, 0, 0, fmt.Errorf("holdfast backup run --follow: %w", err)
		}
	}
	go func() {
		for said.Decode(new(json.RawMessage)) == nil { // or it would wait for us
		}
	}()
	time.Sleep(rand.N(2 * time.Second)) // a moment that has nothing to do with its own
	cut := time.Now()
	end()
	stop()
	acks := w.end()

	restore := k.restore(filepath.Join(dir, "restored"))
	restore.Args = append(restore.Args, "--serve")
	restore.Stderr = os.Stderr
	if out, err = restore.StdoutPipe(); err != nil {
		return 0, 0, 0, err
	}
	if err := restore.Start(); err != nil {
		return 0, 0, 0, err
	}
	defer func() {
		err = errors.Join(err, restore.Process.Signal(os.Interrupt), restore.Wait())
	}()
	var doc struct{ Address string }
	if err := json.NewDecoder(out).Decode(&doc); err != nil {
		return 0, 0, 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, doc.Address)
	if err != nil {
		return 0, 0, 0, err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, "select id from orders where id < 0")
	if err != nil {
		return 0, 0, 0, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return 0, 0, 0, err
	}
	there := map[int64]bool{}
	for _, id := range ids {
		there[id] = true
	}
	for id, at := range acks {
		if at.After(cut) {
			continue
		}
		if acknowledged++; !there[id] {
			lost, oldest = lost+1, max(oldest, cut.Sub(at))
		}
	}
	return oldest, acknowledged, lost, nil
}

// writing is load: orders with numbers below zero, and when each was acknowledged.
type writing struct {
	ended chan struct{}
	wait  sync.WaitGroup
	mu    sync.Mutex
	acks  map[int64]time.Time
	once  sync.Once
}

func (s *backedUp) load(clients int) *writing {
	w := &writing{ended: make(chan struct{}), acks: map[int64]time.Time{}}
	var last atomic.Int64
	for range clients {
		w.wait.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
			defer cancel()
			conn, err := pgx.Connect(ctx, s.dsn)
			if err != nil {
				return
			}
			defer conn.Close(ctx)
			for {
				id := last.Add(-1)
				if _, err := conn.Exec(ctx, "insert into orders (id, customer, amount, at) values ($1, 'somebody', 1, now())", id); err != nil {
					return // the server is gone
				}
				w.mu.Lock()
				w.acks[id] = time.Now()
				w.mu.Unlock()
				select {
				case <-w.ended:
					return
				case <-time.After(2 * time.Millisecond):
				}
			}
		})
	}
	return w
}

// end ends the load, and tells what was acknowledged.
func (w *writing) end() map[int64]time.Time {
	w.once.Do(func() { close(w.ended) })
	w.wait.Wait()
	return w.acks
}
