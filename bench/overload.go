package main

import (
	"fmt"
	"net/http"
	"time"

	"holdfast/internal/loopback"
)

// The overload: an upstream that bears 266 requests a second, of which 200 are
// stated; a quiet load of 60 % of that, and one of ten times the stated.
const (
	busyWorkers  = 8
	busyTakes    = 30 * time.Millisecond
	busyCapacity = 200
	busyQuiet    = 0.6 * busyCapacity
	busyTenfold  = 10 * busyCapacity
	busyConns    = 256
)

const busyConfig = `
listen: 127.0.0.1:PORT
admin: {listen: "127.0.0.1:ADMIN"}
data: DATA
routes:
  - id: orders
    match: {path: /orders}
    upstream: http://UPSTREAM
    key: json:/order_no
    idempotency: {by: key, remembers: 72h}
    caller: public
    hold: {state: on}
    answer: {status: 202}
    capacity: 200/s
    admission: {concurrency: 8}
    detect:
      check: {path: /healthz, every: 1s}
`

func (b *bench) overloadRows() error {
	if err := b.buildHoldfast(); err != nil {
		return err
	}
	addr, err := loopback.Address()
	if err != nil {
		return err
	}
	shop, err := shopKind{workers: busyWorkers, takes: busyTakes}.start(addr)
	if err != nil {
		return err
	}
	defer shop.kill()
	relay, err := b.startHoldfast(busyConfig, addr)
	if err != nil {
		return err
	}
	defer relay.stop()
	var memory, shed99, shedMost, slower, normal, admitted, steady99, needless []float64
	for n := range b.rounds + 1 {
		quiet, quietMost, err := relay.under(busyQuiet, b.round)
		if err != nil {
			return err
		}
		busy, busyMost, err := relay.under(busyTenfold, b.round)
		if err != nil {
			return err
		}
		after, _, err := relay.under(busyQuiet, b.round)
		if err != nil {
			return err
		}
		if n == 0 { // to warm up
			continue
		}
		base, all := percentileOf(quiet, 0.99, isAdmitted)
		needless = append(needless, 100*float64(len(quiet)-all)/float64(len(quiet)))
		under, let := percentileOf(busy, 0.99, isAdmitted)
		shed, turned := percentileOf(busy, 0.99, isShed)
		most, _ := percentileOf(busy, 1, isShed)
		if let+turned < len(busy) {
			return fmt.Errorf("%d of %d were neither admitted nor shed: %v", len(busy)-let-turned, len(busy), statuses(busy))
		}
		memory = append(memory, float64(busyMost)/float64(quietMost))
		shed99, shedMost = append(shed99, millis(shed)), append(shedMost, millis(most))
		slower = append(slower, float64(under)/float64(base))
		steady99 = append(steady99, millis(base))
		admitted = append(admitted, float64(let)/b.round.Seconds())
		normal = append(normal, untilNormal(after, 2*base).Seconds())
	}
	b.row("10x overload, resident, most / most of the steady load", fmt.Sprintf("%.2f", median(memory)), "<= 1.5")
	b.row("10x overload, shed in, p99 / most", fmt.Sprintf("%.1f ms / %.1f ms", median(shed99), median(shedMost)), "< 10 ms")
	b.row("10x overload, p99 of the admitted / steady", fmt.Sprintf("%.2f (steady %.1f ms, of which %.1f %% shed; %.0f/s of %d/s admitted)", median(slower), median(steady99), median(needless), median(admitted), busyTenfold), "<= 2")
	b.row("10x overload, normal again after", fmt.Sprintf("%.2f s", median(normal)), "<= 10 s")
	return nil
}

func isAdmitted(a *answered) bool { return a.status == http.StatusOK && !a.cut }
func isShed(a *answered) bool     { return a.status == http.StatusServiceUnavailable && !a.cut }

func statuses(all []answered) map[int]int {
	out := map[int]int{}
	for i := range all {
		out[all[i].status]++
	}
	return out
}

// untilNormal is when the last request was sent that was shed, or slower than
// slow; a round in which none was is normal at once.
func untilNormal(all []answered, slow time.Duration) time.Duration {
	last := time.Duration(0)
	for i := range all {
		if a := &all[i]; !isAdmitted(a) || a.took > slow {
			last = max(last, a.sent)
		}
	}
	return last
}

// under loads the relay and tells the most memory that it had in use meanwhile.
func (h *holdfast) under(rate float64, d time.Duration) (all []answered, most int64, err error) {
	done, watched := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		most := int64(0)
		for {
			if n, err := resident(h.pid); err == nil {
				most = max(most, n)
			}
			select {
			case <-done:
				watched <- most
				return
			case <-tick.C:
			}
		}
	}()
	all, err = openLoopOf(h.addr, busyConns, rate, d)
	close(done)
	return all, <-watched, err
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
