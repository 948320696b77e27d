package relay

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/upstream"
)

const (
	tunnelIdle  = 5 * time.Minute  // neither side says anything
	tunnelTick  = time.Second      // how often a silent side looks whether it is to end
	tunnelGrace = 10 * time.Second // for tunnels under way when the relay stops
)

var errHeldTunnel = errors.New("relay: a WebSocket can't be held, and the route's intake is not pass")

// tunnel passes a request to leave HTTP for a WebSocket. It lives only while
// its upstream does, so a route that does not pass refuses it.
func (f *flight) tunnel() {
	if f.engine.ledger != nil {
		if s := f.standing(); s.intake != continuity.IntakePass && !f.tries(s) {
			f.refuse(continuity.E(continuity.CodeNotHeld, errHeldTunnel))
			return
		}
	}
	client, ok := f.x.(http1.Switcher)
	if !ok {
		f.refuseWith(continuity.E(continuity.CodeInvalid, errors.ErrUnsupported, "detail", "Upgrade"), 400, "")
		return
	}
	f.whole = true
	f.key, _ = f.idempotencyKey()
	f.forward()
	r := f.route
	f.count()
	f.waiter().Block() // a tunnel is two goroutines, which no loop serves
	result := r.sender.Send(f.x.Context(), upstream.Attempt{
		Method: f.req.Method, Target: f.req.Target, Host: f.req.Host, Header: f.header, Upgrade: f.req.Upgrade, Body: &f.reader,
	})
	far, tunnelled := result.Body.(http1.Tunnel)
	switch {
	case result.Class == upstream.Clean:
		f.unprocessed(result, passage{watch: f.check == "", leave: true})
	case result.Class == upstream.Lost:
		f.lost(result, passage{watch: f.check == "", leave: true})
	case !tunnelled || result.Status != 101:
		f.answered(result, passage{leave: true})
	default:
		f.took(result.Took)
		near, err := client.Switch(result.Header)
		if err != nil {
			far.Close()
			f.done(Cut, result.Status)
			return
		}
		f.done(Passed, result.Status)
		join(f.engine.waiting, near, far)
	}
}

// join carries bytes both ways until both sides have ended, one breaks, neither
// says anything for long, or the relay stops.
func join(stopping context.Context, near, far http1.Tunnel) {
	t := &pipes{stopping: stopping}
	t.touch()
	var both sync.WaitGroup
	both.Go(func() { t.carry(far, near) })
	t.carry(near, far)
	both.Wait()
	near.Close()
	far.Close()
}

// pipes are the two directions of a tunnel.
type pipes struct {
	stopping context.Context
	last     atomic.Int64 // when something came, either way, in Unix nanoseconds
	broken   atomic.Bool
	until    atomic.Int64 // when a stopping relay waits no longer
}

func (t *pipes) touch() { t.last.Store(time.Now().UnixNano()) }

// over reports whether a silent tunnel is to end.
func (t *pipes) over(now time.Time) bool {
	quiet := now.Sub(time.Unix(0, t.last.Load()))
	if t.broken.Load() || quiet >= tunnelIdle {
		return true
	}
	return t.stopping.Err() != nil && (quiet >= tunnelTick || t.late(now))
}

// late reports whether a stopping relay has waited long enough.
func (t *pipes) late(now time.Time) bool {
	t.until.CompareAndSwap(0, now.Add(tunnelGrace).UnixNano())
	return now.UnixNano() >= t.until.Load()
}

// carry copies one direction. Each piece leaves as it comes; a side that ends
// ends the other one's reading only.
func (t *pipes) carry(to, from http1.Tunnel) {
	buf := make([]byte, 16<<10)
	for {
		now := time.Now()
		if t.stopping.Err() != nil && t.late(now) {
			t.broken.Store(true)
		}
		if t.broken.Load() {
			return
		}
		_ = from.SetReadDeadline(now.Add(tunnelTick)) // a connection that can't is broken, and says so below
		n, err := from.Read(buf)
		if n > 0 {
			t.touch()
			if _, err := to.Write(buf[:n]); err != nil {
				t.broken.Store(true)
				return
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			if t.over(time.Now()) {
				t.broken.Store(true)
				return
			}
		case err == io.EOF:
			if to.CloseWrite() != nil {
				t.broken.Store(true)
			}
			return
		default:
			t.broken.Store(true)
			return
		}
	}
}

// hint passes early hints on to a client that can take them.
func (f *flight) hint(status int, header []continuity.Field) {
	if client, ok := f.x.(http1.Informer); ok {
		_ = client.Inform(status, header) // a client that left can't be told
	}
}
