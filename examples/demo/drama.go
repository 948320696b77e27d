package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"holdfast/internal/demo/customers"
)

// drama is the course of events, and what is measured on the way.
type drama struct {
	options
	world  *world
	screen *screen
	watch  *watcher

	run     string
	clients *customers.Clients
	ledger  *customers.Ledger
	result  score
}

func (d *drama) play(ctx context.Context) (score, error) {
	d.result.Seed = d.seed
	if err := d.world.startShop(); err != nil {
		return score{}, err
	}
	if err := d.world.startRelay(ctx); err != nil {
		return score{}, err
	}
	d.cast()

	ledger, err := customers.NewLedger(filepath.Join(d.world.dir, "customers.jsonl"))
	if err != nil {
		return score{}, err
	}
	d.ledger, d.run, d.screen.start = ledger, runID(time.Now()), time.Now()
	d.clients = customers.NewClients("http://"+d.world.relayAddr, d.screen.start,
		customers.NewStream(d.run, d.seed, d.customers, d.goods), ledger)

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var background sync.WaitGroup
	defer background.Wait()
	background.Go(func() { d.watch.run(ctx, d.world.status) })
	showing, stopShowing := context.WithCancel(ctx)
	defer stopShowing()
	var shown sync.WaitGroup
	shown.Go(func() { d.show(showing) })
	ordering, stopOrdering := context.WithCancel(ctx)
	defer stopOrdering()
	traffic := make(chan struct{})
	go func() {
		defer close(traffic)
		if err := d.clients.Run(ordering, d.rate, d.lookups, d.seed); err != nil {
			cancel(err)
		}
	}()

	err = d.acts(ctx)
	stopOrdering()
	<-traffic
	stopShowing()
	shown.Wait()
	d.screen.finish(ledger)
	if err == nil {
		// What arrived last may still have been put behind its key.
		err = d.drained(ctx)
	}
	if err = errors.Join(err, ledger.Close()); err != nil {
		return score{}, cause(ctx, err)
	}
	if err := d.judge(ctx); err != nil {
		return score{}, cause(ctx, err)
	}
	cancel(nil)
	return d.result, nil
}

// cause is why a context ended, where that is why err came.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil && errors.Is(err, context.Canceled) {
		return c
	}
	return err
}

// acts is the course of events while customers order.
func (d *drama) acts(ctx context.Context) error {
	if err := pause(ctx, d.before); err != nil {
		return err
	}
	pid := d.world.shop.PID()
	down := time.Now()
	if err := d.world.shop.Kill(); err != nil {
		return fmt.Errorf("kill the shop: %w", err)
	}
	d.screen.event(d.ledger, "kill -9 %d: the shop is gone", pid)
	if err := pause(ctx, d.outage); err != nil {
		return err
	}
	if err := d.world.startShop(); err != nil {
		return err
	}
	d.result.ShopOutage = time.Since(down).Seconds()
	d.screen.event(d.ledger, "shop started again (pid %d)", d.world.shop.PID())
	if err := d.drained(ctx); err != nil {
		return err
	}
	return pause(ctx, d.after)
}

// drained waits until the relay has nothing left to deliver.
func (d *drama) drained(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, d.patience)
	defer cancel()
	err := d.watch.until(waiting, func(s relayStatus) bool {
		return s.Mode == "pass" && s.Counters.Pending == s.Counters.Parked
	})
	if err != nil && ctx.Err() == nil {
		return nil // the scorecard tells what is still waiting
	}
	return err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// cast says who plays.
func (d *drama) cast() {
	w := d.world
	store := "SQLite"
	if d.dsn != "" {
		store = "PostgreSQL"
	}
	d.screen.printf("shop      order service on %s (pid %d, %s), %d goods in stock, bears %.0f requests/s\n",
		w.shopAddr, w.shop.PID(), store, d.goods, d.capacity)
	d.screen.printf("relay     %s -> shop (pid %d), route \"orders\" (key order_no, hold up to 24 h)\n", w.relayAddr, w.relay.PID())
	d.screen.printf("clients   %d customers, %.0f orders/s, %.0f look-ups/s, seed %d\n\n", d.customers, d.rate, d.lookups, d.seed)
}

func (d *drama) show(ctx context.Context) {
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			d.screen.update(d.watch.now(), d.ledger)
		}
	}
}

// judge reads the shop's books and the customers' receipts.
func (d *drama) judge(ctx context.Context) error {
	steps := d.ledger.Since(0)
	b, err := d.world.db.Read(ctx, d.run)
	if err != nil {
		return fmt.Errorf("read the shop's database: %w", err)
	}
	r := &d.result
	r.Tally = customers.Count(steps, b)
	r.LookupsOK = d.clients.Lookups.OK.Load()
	r.LookupsStale = d.clients.Lookups.Stale.Load()
	r.LookupsFailed = d.clients.Lookups.Failed.Load()

	states, err := d.clients.Receipts(ctx, steps)
	if err != nil {
		return err
	}
	r.Refused, r.Dead = states["refused"], states["dead"]
	r.Waiting = states["queued"] + states["attempting"] + states["in-doubt"] + states["parked"]
	s := d.watch.now()
	r.Counted, r.Balanced = s.Counters.Accepted, s.Counters.Balanced
	r.Settled = int(s.Counters.DeliveredAfterDoubt)
	r.Doubts = r.Settled + int(s.Counters.InDoubt)
	r.Backlog, r.Forecast = d.watch.Backlog, d.watch.Forecast
	if !d.watch.DrainEnded.IsZero() {
		r.Drain = d.watch.DrainEnded.Sub(d.watch.DrainBegan).Seconds()
	}

	c := r.Books
	d.screen.event(d.ledger, "compared with the shop's own database: %s of %s requests, %s of %s in %s open orders",
		thousands(int64(c.Found)), thousands(int64(c.Acknowledged)), money(c.ShopSum), money(c.Sum), thousands(int64(c.Orders)))
	report, err := d.reconcile(ctx)
	r.Reconciled = err == nil && report.Clean && report.Amounts && report.Found == report.Records
	if err != nil {
		d.screen.printf("  ! holdfast reconcile: %v\n", err)
		return nil
	}
	d.screen.event(d.ledger, "holdfast reconcile: %s of %s new orders that the relay kept are in the shop's list, %s CNY",
		thousands(report.Found), thousands(report.Records), report.sums())
	return nil
}

// reconciliation is what `holdfast reconcile` prints.
type reconciliation struct {
	Records int64 `json:"records"`
	Found   int64 `json:"found"`
	Amounts bool  `json:"amounts"` // were compared
	Clean   bool  `json:"clean"`
	Sums    []sum `json:"sums"` // in the shop's list
	States  []struct {
		State string `json:"state"`
		Sums  []sum  `json:"sums"`
	} `json:"states"`
}

type sum struct {
	Amount string `json:"amount"` // all is in one currency here
}

// sums is the shop's sum of the relay's, of what was delivered.
func (r reconciliation) sums() string {
	var ours, theirs []string
	for _, s := range r.States {
		if s.State == "delivered" {
			for _, sum := range s.Sums {
				ours = append(ours, sum.Amount)
			}
		}
	}
	for _, sum := range r.Sums {
		theirs = append(theirs, sum.Amount)
	}
	return strings.Join(theirs, ", ") + " of " + strings.Join(ours, ", ")
}

// reconcile has the product compare its records with the shop's own list.
func (d *drama) reconcile(ctx context.Context) (reconciliation, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(d.bin, "holdfast"), "reconcile", "orders", "--json", "--config",
		filepath.Join(d.world.dir, "relay.yaml"))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var r reconciliation
	if err != nil {
		return r, fmt.Errorf("%w\n%s%s", err, stderr.String(), out)
	}
	return r, json.Unmarshal(out, &r)
}
