package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/config"
	"holdfast/internal/continuity"
	"holdfast/internal/identity"
	"holdfast/internal/journal"
	"holdfast/internal/keyring"
	"holdfast/internal/ledger"
	"holdfast/internal/listener"
	"holdfast/internal/relay"
	"holdfast/internal/view"
)

// StopWithin is how long a graceful stop may take.
const StopWithin = 30 * time.Second

// Options say which relay to run.
type Options struct {
	ConfigFile string
	Version    string
	Logger     *slog.Logger // default: slog.Default()
	// Program is this program's file, for when another version stands there; empty:
	// it can't be replaced.
	Program string
	// Inside says that requests come from within the program only, by Handle: there
	// are no listeners for clients.
	Inside bool
	// Inherited are sockets that were open before; nil: none.
	Inherited *listener.Inheritance

	files func(journal.FS) journal.FS // puts faults under the journal; for tests
}

// App is one relay. Start it once.
type App struct {
	o       Options
	log     *slog.Logger
	began   time.Time
	metrics *metrics

	started chan struct{} // closed when requests are served
	stopped chan struct{} // closed when everything is down
	failed  chan error    // what ends the relay by itself
	replace chan struct{} // another program is to take this one's place; it was tried

	stopOnce sync.Once
	stopErr  error
	ready    atomic.Bool
	stack    stack

	// Set while starting, constant afterwards.
	home    *config.Relay // where data and listeners are; reloading can't change it
	token   string
	keyless error // why there is no ledger; nil: there is one
	journal *meteredLog
	saved   *journal.Checkpoints
	ledger  *ledger.Ledger
	ring    *keyring.Ring
	hasher  *identity.Hasher
	view    *view.View // nil: it can't be opened
	engine  *relay.Engine
	front   *front
	clients []net.Listener
	admin   net.Listener
	sockets []net.Listener // below all of them

	rotating  sync.Mutex // one exchange of the master key at a time
	reloading sync.Mutex // one configuration is put into use at a time
	lanes     atomic.Pointer[lanes]
	couriers  map[string]*courier                 // guarded by reloading
	telling   atomic.Pointer[map[string]*courier] // what couriers holds, for those who look
	estimates estimates
	admit     admitting

	approvals atomic.Pointer[continuity.Approvals] // nil: one person may do anything
	alone     alone
	restoring sync.Mutex
	plans     map[string]plan // what is proposed to bring back; guarded by restoring

	mu       sync.Mutex // guards what follows
	config   api.Config
	starting chan struct{} // closed when Start has opened everything, or failed; nil before
	breakOff context.CancelFunc
	stopping bool
}

// New returns a relay that has yet to be started.
func New(o Options) *App {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	a := &App{o: o, log: o.Logger, started: make(chan struct{}), stopped: make(chan struct{}), failed: make(chan error, 1), replace: make(chan struct{}, 1), couriers: make(map[string]*courier)}
	a.lanes.Store(&lanes{})
	return a
}

// Started is closed when requests are served.
func (a *App) Started() <-chan struct{} { return a.started }

// Failed delivers what ends the relay by itself.
func (a *App) Failed() <-chan error { return a.failed }

// Addr is where clients are served first, AdminAddr where the admin API is. Both
// are known when Started is closed.
func (a *App) Addr() string { return a.clients[0].Addr().String() }

// AdminAddr is where the admin API is.
func (a *App) AdminAddr() string { return a.admin.Addr().String() }

// Ready returns nil while requests are served.
func (a *App) Ready() error {
	if a.ready.Load() {
		return nil
	}
	return continuity.E(continuity.CodeStarting, nil)
}

// Start opens everything and returns when requests are served. On an error it
// has taken down what was open. A Stop meanwhile breaks it off.
func (a *App) Start(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.mu.Lock()
	if a.starting != nil || a.stopping {
		a.mu.Unlock()
		return errors.New("app: started twice, or stopped before")
	}
	starting := make(chan struct{})
	a.starting, a.breakOff = starting, cancel
	a.mu.Unlock()
	err := a.open(ctx)
	close(starting)
	if err == nil {
		return nil
	}
	stopping, done := context.WithTimeout(context.WithoutCancel(ctx), StopWithin)
	defer done()
	return errors.Join(err, a.Stop(stopping))
}

func (a *App) open(ctx context.Context) error {
	a.began = time.Now()
	a.metrics = newMetrics(a)
	loaded, err := a.loadFirst()
	if err != nil {
		return err
	}
	a.home, a.config = loaded.relay, loaded.config
	for _, step := range []func(context.Context) error{
		a.openFolder, a.openAdmin, a.openKeyAndJournal, a.openLedger,
		func(context.Context) error { return a.heedPending(&loaded) }, a.openView, a.openRoutes, a.openClients, a.announce,
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step(ctx); err != nil {
			return err
		}
	}
	if !loaded.fallback {
		a.keepLastGood(loaded.src)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	a.ready.Store(true)
	close(a.started)
	a.log.Info("relay ready", "listen", strings.Join(a.Addresses(), " "), "admin", a.AdminAddr(), "routes", len(a.lanes.Load().order), "version", a.o.Version,
		"took", time.Since(a.began))
	return nil
}

// Stop takes everything down: gracefully until ctx is done, at once then. It
// may be called more than once, and at any time, and returns what went wrong.
func (a *App) Stop(ctx context.Context) error {
	a.mu.Lock()
	a.stopping = true
	starting, breakOff := a.starting, a.breakOff
	a.mu.Unlock()
	if starting != nil {
		breakOff()
		<-starting
	}
	a.stopOnce.Do(func() {
		a.ready.Store(false)
		began := time.Now()
		a.stopErr = a.stack.unwind(ctx)
		a.log.Info("relay stopped", "took", time.Since(began))
		close(a.stopped)
	})
	<-a.stopped
	return a.stopErr
}

// fail ends the relay because of what it can't go on without.
func (a *App) fail(err error) {
	select {
	case a.failed <- err:
	default: // another reason came first
	}
}

// stack is what has to be taken down, last in first out.
type stack struct {
	mu  sync.Mutex
	all []func(context.Context) error
}

func (s *stack) push(f func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, f)
}

func (s *stack) unwind(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for i := len(s.all) - 1; i >= 0; i-- {
		errs = append(errs, s.all[i](ctx))
	}
	s.all = nil
	return errors.Join(errs...)
}

// background runs f until the stack comes back to it, and waits for its end
// then.
func (a *App) background(name string, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := f(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("background work ended", "what", name, "error", err)
		}
	}()
	a.stack.push(func(context.Context) error {
		cancel()
		<-done
		return nil
	})
}

var _ journal.Log = (*meteredLog)(nil)
