package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// peer is a way to keep requests durably that people use today, behind a
// protocol of its own.
type peer struct {
	name string
	goal string
	// start runs it in a folder of its own, with a delay added to each sync.
	start func(dir string, delay time.Duration) (store, error)
}

type store interface {
	version() string
	dial() (client, error)
	stop()
}

// client is one client's connection.
type client interface {
	keep(key string, body []byte) error // returns once it is durable
	close()
}

var peers = []peer{
	{"Redis, appendfsync always", ">= 3", startRedis},
	{"RabbitMQ, quorum queue, confirms", ">= 6", startRabbitMQ},
	{"JetStream, sync always", ">= 14", startJetStream},
	{"PostgreSQL, grouped commits", "", startPostgres},
}

// errUndelayed is of a peer that no library can be preloaded into.
var errUndelayed = errors.New("written in Go, so nothing can be added to its syncs")

const (
	clients = 64
	patient = 30 * time.Second // what any one answer of a peer may take
)

// peerRows measure durable accept beside each peer in turn: holdfast, peer,
// holdfast, peer, ... Only the two run, since others take some of the machine
// even when idle, and both begin empty. A peer that isn't there, or fails, costs
// only its own row.
func (b *bench) peerRows(delay time.Duration) error {
	if err := os.Chmod(b.dir, 0o711); err != nil { // peers that refuse to be root get to theirs
		return err
	}
	for _, p := range peers {
		what := fmt.Sprintf("durable accept, 64 connections, sync +%v: against %s", delay, p.name)
		got, err := b.beside(p, delay)
		var failed *peerError
		if errors.As(err, &failed) {
			got, err = "not measured: "+strings.Join(strings.Fields(failed.Error()), " "), nil
		}
		if err != nil {
			return err
		}
		b.row(what, got, p.goal)
	}
	return nil
}

// peerError is a peer's failure, not ours.
type peerError struct{ err error }

func (e *peerError) Error() string { return e.err.Error() }

func (b *bench) beside(p peer, delay time.Duration) (string, error) {
	dir, err := os.MkdirTemp(b.dir, "peer-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	s, err := p.start(dir, delay)
	if err != nil {
		return "", &peerError{err}
	}
	defer s.stop()
	crowd, err := dialAll(s)
	defer crowd.close()
	if err != nil {
		return "", &peerError{err}
	}
	ours, err := start("holdfast", b.dir, delay)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(ours.dir)
	defer ours.stop()

	var us, them, ratios []float64
	for i := range b.rounds + 1 {
		d := b.round
		if i == 0 { // warm
			d /= 2
		}
		f, err := closed(ours.addr, clients, d)
		if err != nil {
			return "", fmt.Errorf("holdfast: %w", err)
		}
		g, err := crowd.closed(d)
		if err != nil {
			return "", &peerError{err}
		}
		if i > 0 {
			us, them, ratios = append(us, f.rate()), append(them, g.rate()), append(ratios, f.rate()/g.rate())
		}
	}
	return fmt.Sprintf("%.2f  (%.0f/s beside %.0f/s of %s)", median(ratios), median(us), median(them), s.version()), nil
}

// crowd are all clients of one peer; they stay connected from round to round.
type crowd []client

func dialAll(s store) (crowd, error) {
	var all crowd
	for range clients {
		c, err := s.dial()
		if err != nil {
			return all, err
		}
		all = append(all, c)
	}
	return all, nil
}

func (all crowd) close() {
	for _, c := range all {
		c.close()
	}
}

// closed has every client send again as soon as the last is durable.
func (all crowd) closed(d time.Duration) (figures, error) {
	var wg sync.WaitGroup
	counts, errs := make([]int, len(all)), make([]error, len(all))
	start := time.Now()
	for i, c := range all {
		wg.Go(func() {
			var buf []byte
			for time.Since(start) < d && errs[i] == nil {
				n := serial.Add(1)
				buf = appendOrder(buf[:0], n)
				if errs[i] = c.keep(fmt.Sprint("bench-", n), buf); errs[i] == nil {
					counts[i]++
				}
			}
		})
	}
	wg.Wait()
	f := figures{took: time.Since(start)}
	for _, n := range counts {
		f.requests += n
	}
	return f, errors.Join(errs...)
}

// eventually tries until a peer that has just been started is there.
func eventually(ended <-chan struct{}, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	retry := time.NewTicker(50 * time.Millisecond)
	defer retry.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("does not answer: %w", err)
		case <-ended:
			return errors.New("ended")
		case <-retry.C:
		}
	}
}
