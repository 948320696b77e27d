package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/listener"
	"holdfast/internal/nethttp"
)

// front is all that serves clients: the lean server, and the complete one for
// what it hands over.
type front struct {
	lean     *http1.Server
	complete *nethttp.Server
}

func newFront(a *App) *front {
	f := &front{lean: &http1.Server{Handler: a.engine.Handle, Logger: a.log, Loops: loops()}}
	f.complete = nethttp.New(nethttp.Options{Handler: a.engine.Handle, Logger: a.log})
	f.lean.HTTP2 = f.complete.Take
	return f
}

// loops is how many poll loops serve clients: one for each processor. Go gets
// two more processors, for the loops that wait for sockets and the sequencer that
// waits for the disk are in system calls: with none to spare beside all of them,
// the runtime would take theirs away again and again, and wake every 20 us to
// look whether it should, which costs more than the waiting.
var loops = sync.OnceValue(func() int {
	n := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(n + 2)
	return n
})

// retire has clients move on to new connections.
func (f *front) retire() {
	f.lean.Retire()
	f.complete.Retire()
}

// shutdown lets running exchanges end until ctx is done, and cuts the others.
func (f *front) shutdown(ctx context.Context) (cut bool, err error) {
	f.complete.Retire()
	// The complete server comes second: the lean one may still hand connections over.
	err = errors.Join(f.lean.Shutdown(ctx), f.complete.Shutdown(ctx))
	if err != nil {
		return true, errors.Join(f.lean.Close(), f.complete.Close())
	}
	return false, nil
}

// openClients serves clients. When it is taken down it stops accepting, lets
// exchanges end, and cuts them only when time is up.
func (a *App) openClients(ctx context.Context) error {
	if a.o.Inside {
		a.stack.push(func(context.Context) error { a.engine.EndWaits(); return nil })
		return nil
	}
	a.front = newFront(a)
	a.boundConns()
	for _, s := range a.home.Listeners {
		l, err := a.listenFor(ctx, s)
		if err != nil {
			for _, open := range a.clients {
				open.Close()
			}
			return errors.Join(err, a.front.complete.Close())
		}
		a.clients = append(a.clients, l)
	}
	for _, l := range a.clients {
		go func() {
			if err := a.front.lean.Serve(l); !errors.Is(err, http1.ErrServerClosed) {
				a.fail(fmt.Errorf("app: listener: %w", err))
			}
		}()
	}
	a.stack.push(func(ctx context.Context) error {
		a.engine.EndWaits()
		// What comes after the exchanges, above all the last checkpoint, needs time too.
		bounded := ctx
		if deadline, ok := ctx.Deadline(); ok {
			var cancel context.CancelFunc
			bounded, cancel = context.WithDeadline(ctx, deadline.Add(-StopWithin/3))
			defer cancel()
		}
		cut, err := a.front.shutdown(bounded)
		if cut {
			a.log.Warn("exchanges were cut, as stopping took too long")
		}
		return err
	})
	return nil
}

func (a *App) listenFor(ctx context.Context, s continuity.Listener) (net.Listener, error) {
	plain, err := a.listen(ctx, s.Address)
	if err != nil {
		return nil, err
	}
	l, err := listener.Wrap(plain, s, listener.Options{DataDir: a.home.DataDir, Trusts: a.trusts, Logger: a.log})
	if err != nil {
		plain.Close()
		return nil, err
	}
	return l, nil
}

// trusts reports whether an address is a trusted proxy's, by the configuration
// in use.
func (a *App) trusts(address netip.Addr) bool { return a.engine.Transport().Trusts(address) }

// Handle answers a request that comes from within the program.
func (a *App) Handle(x http1.Exchange) { a.engine.Handle(x) }

// Addresses are where clients are served, in the order of the configuration.
func (a *App) Addresses() []string {
	out := make([]string, len(a.clients))
	for i, l := range a.clients {
		out[i] = l.Addr().String()
	}
	return out
}
