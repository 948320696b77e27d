package app

import (
	"context"
	"errors"
	"os"
)

// Run runs a relay until ctx is done or it fails. The first signal that ends a
// process stops it gracefully, a second one at once; one has it read the
// configuration again, one puts a new program in its place.
func Run(ctx context.Context, o Options, signals <-chan os.Signal) error {
	for {
		a := New(o)
		err := a.run(ctx, signals)
		kept := (*failedReplacement)(nil)
		if !errors.As(err, &kept) {
			return err
		}
		// The other program could not be started after all: go on, on the same sockets.
		o.Inherited = kept.sockets
	}
}

func (a *App) run(ctx context.Context, signals <-chan os.Signal) error {
	starting, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- a.Start(starting) }()
	asked := false // to reload, before that was possible
	for {
		select {
		case err := <-done:
			if err != nil {
				return err
			}
			a.o.Inherited.Close() // where no configuration listens any more
			if done = nil; asked {
				_, _ = a.Reload(ctx)
			}
		case err := <-a.failed:
			return errors.Join(err, a.stopBounded(ctx, signals))
		case <-ctx.Done():
			return a.stopBounded(context.WithoutCancel(ctx), signals)
		case <-a.replace:
			return a.makeRoom(ctx, signals)
		case s := <-signals:
			switch {
			case reloads(s):
				if asked = done != nil; !asked {
					_, _ = a.Reload(ctx) // log, metrics and status tell how that went
				}
				continue
			case replaces(s):
				if done == nil && a.tryProgram(ctx) == nil { // or the log tells why not
					return a.makeRoom(ctx, signals)
				}
				continue
			}
			a.log.Info("stopping", "signal", s.String())
			cancel()
			if done != nil {
				if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
					return err
				}
			}
			return a.stopBounded(ctx, signals)
		}
	}
}

// ErrHurried says that stopping was broken off; the journal restores the rest.
var ErrHurried = errors.New("app: stopped at once, without finishing what was under way")

// stopBounded stops gracefully. It does not wait longer than a further signal
// or the bound allow: what is under way then is in doubt at the next start.
func (a *App) stopBounded(ctx context.Context, signals <-chan os.Signal) error {
	ctx, cancel := context.WithTimeout(ctx, StopWithin)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- a.Stop(ctx) }()
	for {
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ErrHurried
		case s := <-signals:
			if !reloads(s) {
				return ErrHurried
			}
		}
	}
}
