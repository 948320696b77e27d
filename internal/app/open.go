package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
	"holdfast/internal/endpoint"
	"holdfast/internal/identity"
	"holdfast/internal/journal"
	"holdfast/internal/keyring"
	"holdfast/internal/ledger"
	"holdfast/internal/relay"
	"holdfast/internal/view"
)

func (a *App) openFolder(context.Context) error {
	if err := os.MkdirAll(a.home.DataDir, 0o700); err != nil {
		return fmt.Errorf("app: data folder: %w", err)
	}
	a.loadEstimates()
	token, err := endpoint.ReadOrCreateToken(a.home.TokenFile)
	a.token = token
	return err
}

// openAdmin answers /healthz and /readyz from now on, and everything else once
// the relay is ready.
func (a *App) openAdmin(ctx context.Context) error {
	var err error
	if a.admin, err = a.listen(ctx, a.home.AdminListen); err != nil {
		return err
	}
	desk := &desk{a}
	srv := &http.Server{
		Handler: api.New(api.Options{
			Overview: desk, Records: desk, Control: desk, Keys: desk, Privacy: desk, Admitting: desk, Following: desk, Speaking: desk, Explaining: desk, Metrics: a.metrics.handler(),
			Token: endpoint.NewToken(a.token), Logger: a.log, Version: a.o.Version,
		}),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10,
	}
	go func() {
		if err := srv.Serve(a.admin); !errors.Is(err, http.ErrServerClosed) {
			a.fail(fmt.Errorf("app: admin listener: %w", err))
		}
	}()
	a.stack.push(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		if srv.Shutdown(ctx) != nil {
			return srv.Close()
		}
		return nil
	})
	return nil
}

func (a *App) listen(ctx context.Context, address string) (net.Listener, error) {
	if l, ok := a.o.Inherited.Take(address); ok {
		a.sockets = append(a.sockets, l)
		return l, nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		a.sockets = append(a.sockets, l)
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE) && a.journal == nil && journal.InUse(journal.Dir(a.home.JournalDir)):
		return nil, continuity.E(continuity.CodeLocked, err)
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, continuity.E(continuity.CodeAddress, err, "address", address)
	default:
		return nil, fmt.Errorf("app: listen on %s: %w", address, err)
	}
}

// openKeyAndJournal makes a master key only where there is no journal yet: a
// new key beside an old journal would be another lock's.
func (a *App) openKeyAndJournal(context.Context) error {
	ring, err := a.openKey()
	if err != nil {
		a.runKeyless(err)
		return nil
	}
	var faulty journal.FS
	if a.o.files != nil {
		faulty = a.o.files(journal.Dir(a.home.JournalDir))
	}
	files, recovered, err := journal.Open(journal.Options{
		Dir: a.home.JournalDir, FS: faulty, SegmentBytes: a.home.SegmentBytes, MaxBytes: a.home.Limits.Bytes, Ring: ring, Logger: a.log,
	})
	switch {
	case errors.Is(err, journal.ErrNoKey):
		a.runKeyless(err)
		return nil
	case errors.Is(err, journal.ErrLocked):
		return continuity.E(continuity.CodeLocked, err)
	case errors.Is(err, journal.ErrDamaged):
		return continuity.E(continuity.CodeDamaged, err)
	case err != nil:
		return fmt.Errorf("app: journal: %w", err)
	}
	a.stack.push(func(context.Context) error { return files.Close() })
	if recovered.Torn != nil {
		a.log.Warn("the end of the journal was torn; what was cut was never acknowledged", "file", recovered.Torn.File, "bytes", recovered.Torn.Bytes)
	}
	secret, err := files.Secret("identity", 32)
	if err != nil {
		return err
	}
	a.hasher = identity.New(secret)
	if a.admit.secret, err = files.Secret("admission", 32); err != nil {
		return err
	}
	a.ring = ring
	a.journal = &meteredLog{Log: files, metrics: a.metrics}
	a.saved = files.Checkpoints()
	return nil
}

func (a *App) openKey() (*keyring.Ring, error) {
	held, err := os.ReadDir(a.home.JournalDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(held) == 0 {
		return keyring.LoadOrCreate(a.home.MasterKeyFile)
	}
	return keyring.Load(a.home.MasterKeyFile)
}

// runKeyless goes on without a ledger: everything passes, nothing is held.
func (a *App) runKeyless(why error) {
	a.keyless = why
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	a.hasher = identity.New(secret)
	a.admit.secret = secret
	a.log.Error("NO USABLE MASTER KEY: everything passes and NOTHING is held; put the right key back and start again",
		"file", a.home.MasterKeyFile, "error", why)
}

func (a *App) openLedger(context.Context) error {
	if a.keyless != nil {
		return nil
	}
	l, recovery, err := ledger.Open(ledger.Options{
		Log: a.journal, Checkpoints: a.saved, Routes: a.home.Routes, Limits: a.home.Limits, Logger: a.log, Thread: true,
	})
	if err != nil {
		return err
	}
	a.ledger = l
	a.stack.push(func(context.Context) error {
		if l.Latched() != nil {
			return l.Close()
		}
		return errors.Join(l.Checkpoint(), l.Close())
	})
	a.log.Info("ledger restored", "events", recovery.Events, "pending", recovery.Pending, "in_doubt", recovery.InDoubt, "took", recovery.Took)
	a.resumeRotation(a.ring)
	a.background("ledger housekeeping", l.Run)
	return nil
}

// openView does without a view where it can't be opened: it decides nothing.
func (a *App) openView(ctx context.Context) error {
	if a.keyless != nil {
		return nil
	}
	o := view.Options{Path: a.home.ViewFile, Log: a.journal, Decode: ledger.Decode, Base: base(a.ledger), Logger: a.log}
	if files, ok := a.journal.Log.(*journal.Files); ok {
		o.Between = files.Between
	}
	v, err := view.Open(ctx, o)
	if err != nil {
		a.log.Error("the view can't be opened; lists and searches will not work", "file", a.home.ViewFile, "error", err)
		return nil
	}
	a.view = v
	a.stack.push(func(context.Context) error { return v.Close() })
	a.background("view", v.Run)
	return nil
}

func (a *App) openRoutes(context.Context) error {
	o := relay.Options{Hasher: a.hasher, Observer: a.metrics, Logger: a.log, RetryAfter: a.retryAfter}
	if a.ledger != nil { // a nil *Ledger in the interface would not be nil
		o.Ledger, o.Recorder = &liveLedger{a.ledger, a}, a.ledger
	}
	a.engine = relay.New(o)
	a.stack.push(func(ctx context.Context) error { a.closeLanes(ctx); return nil })
	if err := a.apply(a.home); err != nil {
		return err
	}
	if a.ledger != nil {
		a.background("waiting lines", a.keepLines)
	}
	a.background("capacity estimates", a.keepEstimates)
	return nil
}

// announceAgain is how long a relay waits before it tries again to say where it
// is.
const announceAgain = 2 * time.Second

// announce tells the command line where the admin API is. On a full disk it goes
// on without: requests matter more.
func (a *App) announce(context.Context) error {
	tokenFile, err := filepath.Abs(a.home.TokenFile)
	if err != nil {
		return err
	}
	dir := a.home.DataDir
	write := func() error {
		return endpoint.Write(dir, endpoint.Relay, endpoint.Endpoint{Address: a.AdminAddr(), TokenFile: tokenFile, PID: os.Getpid()})
	}
	a.stack.push(func(context.Context) error { return endpoint.Remove(dir, endpoint.Relay) })
	if err := write(); err != nil {
		a.log.Error("the command line can't be told where the admin API is; it is tried again", "folder", dir, "admin", a.AdminAddr(), "error", err)
		a.background("announcement", func(ctx context.Context) error { return again(ctx, announceAgain, write) })
	}
	return nil
}

// again tries until it works.
func again(ctx context.Context, wait time.Duration, try func() error) error {
	tick := time.NewTicker(wait)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if try() == nil {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
