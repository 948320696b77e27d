package main

import (
	"fmt"
	"strconv"
	"time"

	"holdfast/internal/loopback"
)

// The upstream that is replayed to beside live requests: 16 workers at once, of
// 20 ms each.
const (
	besideWorkers = 16
	besideTakes   = 20 * time.Millisecond
	besideConns   = 64
)

const besideConfig = `
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
    ramp: {start: 100%}
`

// replayingRows have live requests at half of the measured capacity, and replay
// fill up to four fifths of it in every other round.
func (b *bench) replayingRows() error {
	if err := b.buildHoldfast(); err != nil {
		return err
	}
	addr, err := loopback.Address()
	if err != nil {
		return err
	}
	s, err := shopKind{workers: besideWorkers, takes: besideTakes}.start(addr)
	if err != nil {
		return err
	}
	defer s.kill()
	measured, err := b.measured(addr)
	if err != nil {
		return err
	}
	live, stated := 0.5*measured, int(0.8*measured)
	relay, err := b.startHoldfast(besideConfig+"    capacity: "+strconv.Itoa(stated)+"/s\n", addr)
	if err != nil {
		return err
	}
	defer relay.stop()
	if err := relay.backlog(0.35 * measured * (b.round.Seconds() + 1) * float64(b.rounds+1)); err != nil {
		return err
	}
	var alone, both, ratios, total []float64
	most := 0
	for n := range b.rounds + 1 {
		base, _, err := b.liveRound(relay, s, live, "off")
		if err != nil {
			return err
		}
		beside, busiest, err := b.liveRound(relay, s, live, "on")
		if err != nil {
			return err
		}
		if n == 0 { // to warm up
			continue
		}
		most = max(most, busiest)
		alone, both = append(alone, millis(base)), append(both, millis(beside))
		ratios, total = append(ratios, float64(beside)/float64(base)), append(total, float64(busiest))
	}
	left, err := relay.metric(`holdfast_relay_backlog_records{route="orders",state="queued"} `)
	if err != nil {
		return err
	}
	short := ""
	if left == 0 {
		short = "; the backlog ended before the rounds did"
	}
	b.row(fmt.Sprintf("replay beside live at 50 %% (%.0f/s), together 80 %% of the measured capacity (%.0f/s): live p99 / the same without replay", live, measured),
		fmt.Sprintf("%.2f (%.1f ms beside %.1f ms)%s", median(ratios), median(both), median(alone), short), "<= 1.2")
	b.row("replay beside live: most requests at the upstream within any second", fmt.Sprintf("%d of %d stated (median of rounds %.0f)", most, stated, median(total)), "never above")
	return nil
}

// measured is what the upstream bears, through the relay, by as many clients as
// it takes.
func (b *bench) measured(addr string) (float64, error) {
	relay, err := b.startHoldfast(besideConfig, addr)
	if err != nil {
		return 0, err
	}
	defer relay.stop()
	if _, err := closed(relay.addr, besideConns, b.round/2); err != nil {
		return 0, err
	}
	f, err := closed(relay.addr, besideConns, b.round)
	return f.rate(), err
}

// appendHeldOrder is an order of a key that no live request has.
func appendHeldOrder(b []byte, n int64) []byte {
	start := len(b)
	b = append(b, `{"order_no":"H`...)
	b = strconv.AppendInt(b, n, 10)
	b = append(b, `","note":"`...)
	b = append(b, padding[:bodyBytes-2-(len(b)-start)]...)
	return append(b, `"}`...)
}

// backlog has at least so many requests held, of keys that no live one has.
func (h *holdfast) backlog(least float64) error {
	if err := h.set("hold", "off"); err != nil {
		return err
	}
	for {
		if _, err := (&driver{addr: h.addr, last: 500 * time.Millisecond, order: appendHeldOrder}).load(besideConns); err != nil {
			return err
		}
		switch n, err := h.metric(`holdfast_relay_backlog_records{route="orders",state="queued"} `); {
		case err != nil:
			return err
		case n >= least:
			return nil
		}
	}
}

// liveRound asks at a rate, with replay on or off.
func (b *bench) liveRound(relay *holdfast, s *shop, rate float64, replay string) (p99 time.Duration, busiest int, err error) {
	if err := relay.set("pass", replay); err != nil {
		return 0, 0, err
	}
	if _, err := s.busiest(); err != nil {
		return 0, 0, err
	}
	f, err := openLoop(relay.addr, besideConns, rate, b.round+time.Second)
	if err != nil {
		return 0, 0, err
	}
	busiest, err = s.busiest()
	return f.percentile(0.99), busiest, err
}
