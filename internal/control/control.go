package control

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/internal/access"
	"holdfast/internal/backup/node"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/controlconfig"
	"holdfast/internal/endpoint"
	"holdfast/internal/job"
	"holdfast/internal/keeping"
	"holdfast/internal/measure"
	"holdfast/internal/planbook"
	"holdfast/internal/public"
	"holdfast/internal/store"
	"holdfast/internal/warning"
)

// StopWithin is how long a graceful stop may take.
const StopWithin = 30 * time.Second

// Options say which node to run.
type Options struct {
	Config  controlconfig.Control
	Version string
	Logger  *slog.Logger
	// Journals reads those of relays for backups of them; nil: there are none.
	Journals node.Journal

	engine func(*Node) // one more; for tests
}

// Node is one control node. Start it once.
type Node struct {
	o        Options
	log      *slog.Logger
	name     string // of this node, as people call it
	instance string // of this run of it: a lease is never another run's
	place    string // tells its state from that of other nodes on this machine
	began    time.Time

	ready  atomic.Bool
	failed chan error
	stack  stack

	// Set while starting, constant afterwards.
	store    *store.Store
	feed     *feed
	leader   *leader
	plans    *planbook.Book
	checks   *checks
	jobs     map[string]job.Handler // by kind of timer; engines add theirs
	runner   *job.Runner
	api      controlapi.Options // engines add theirs
	registry *prometheus.Registry
	token    endpoint.Token
	listener net.Listener
	measures *measure.DB
	judges   time.Duration // how often thresholds are held against the measures
	inbox    *warning.Inbox
	channels *channelDesk
	public   *public.Server // nil: none
	words    *wordPlans
	backups  *keeping.Acts
	restores *keeping.RestoreActs
	restorer setRestorer                                           // nil: data can't be brought back here
	holding  func(context.Context, access.Scope) ([]string, error) // users who may do something
}

// New returns a node that has yet to be started.
func New(o Options) (*Node, error) {
	var run [4]byte
	if _, err := rand.Read(run[:]); err != nil {
		return nil, err
	}
	n := &Node{
		o: o, log: o.Logger, name: o.Config.Node, instance: o.Config.Node + "/" + hex.EncodeToString(run[:]),
		failed: make(chan error, 1), jobs: map[string]job.Handler{}, judges: judgesEvery, registry: prometheus.NewRegistry(),
	}
	n.words = &wordPlans{node: n, known: map[string]wordRules{}}
	return n, nil
}

// Start opens everything and returns when requests are served. On an error it has
// closed what was open.
func (n *Node) Start(ctx context.Context) error {
	n.began = time.Now()
	err := n.open(ctx)
	if err == nil {
		return nil
	}
	stopping, done := context.WithTimeout(context.WithoutCancel(ctx), StopWithin)
	defer done()
	return errors.Join(err, n.Stop(stopping))
}

func (n *Node) open(ctx context.Context) error {
	for _, step := range append(n.engines(), n.openMetrics, n.openAPI, n.announce) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step(ctx); err != nil {
			return err
		}
	}
	n.ready.Store(true)
	n.log.Info("control node ready", "node", n.name, "listen", n.Addr(), "version", n.o.Version, "took", time.Since(n.began))
	return nil
}

// engines opens all that works by itself, without anybody being let in.
func (n *Node) engines() []func(context.Context) error {
	return []func(context.Context) error{
		n.openFolder, n.openStore, n.openFeed, n.openLeader, n.openEvents,
		// Engines, in the order in which they need each other.
		n.openPlans, n.openAccess, n.openOnCall,
		n.openMeasures, n.openChecks, n.openWarnings,
		n.openNotices, n.openCalendars,
		n.openChannels, n.openChannelTests, n.openPublic, n.openEmergency,
		n.openNotify,
		n.openIncidents, n.openAnnounce, n.openEvidence,
		n.openMaintenance, n.openWindowRelays,
		n.openBackups,
		n.openRunbooks, n.openUpgrades,
		n.openPreviews,

		n.openJobs,
	}
}

// Addr is where the API is served.
func (n *Node) Addr() string { return n.listener.Addr().String() }

// Failed delivers what ends the node by itself.
func (n *Node) Failed() <-chan error { return n.failed }

func (n *Node) fail(err error) {
	select {
	case n.failed <- err:
	default: // it is ending already
	}
}

// Stop closes everything: gracefully until ctx is done, at once then.
func (n *Node) Stop(ctx context.Context) error {
	n.ready.Store(false)
	began := time.Now()
	err := n.stack.unwind(ctx)
	n.log.Info("control node stopped", "node", n.name, "took", time.Since(began))
	return err
}

// Ready returns nil while requests are served.
func (n *Node) Ready() error {
	if n.ready.Load() {
		return nil
	}
	return continuity.E(continuity.CodeStarting, nil, "control", true)
}

func (n *Node) openFolder(context.Context) error {
	data := n.o.Config.Data
	if err := os.MkdirAll(data, 0o700); err != nil {
		return unusable(data, err)
	}
	unlock, err := lockFolder(data)
	if err != nil {
		return err
	}
	n.stack.push(func(context.Context) error { return unlock() })
	token, err := endpoint.ReadOrCreateToken(n.o.Config.TokenFile())
	n.token = endpoint.NewToken(token)
	return err
}

func (n *Node) openStore(ctx context.Context) error {
	dsn, err := n.o.Config.DSN()
	if err != nil {
		return err
	}
	if n.store, err = store.Open(ctx, dsn); err != nil {
		return err
	}
	n.place = placeOf(dsn)
	n.stack.push(func(context.Context) error { return n.store.Close() })
	return nil
}

// placeOf tells one database from others, without anybody's name or password.
func placeOf(dsn string) string {
	if u, err := url.Parse(dsn); err == nil && strings.HasPrefix(u.Scheme, "postgres") {
		dsn = u.Host + "\n" + u.Path + "\n" + u.Query().Get("host") + "\n" + u.Query().Get("port")
	}
	sum := sha256.Sum256([]byte(dsn))
	return hex.EncodeToString(sum[:8])
}

// openJobs runs the timers that are due; every node takes its share.
func (n *Node) openJobs(context.Context) error {
	n.runner = job.New(job.Options{Store: n.store, Node: n.instance, Handlers: n.jobs, Log: n.log, Lease: n.o.Config.Lease})
	n.background(n.runner.Run)
	n.whileLeading("answers", func(ctx context.Context, _ *continuity.Lease) {
		n.every(ctx, time.Hour, func(ctx context.Context) error {
			return n.store.ForgetAnswers(ctx, time.Now().Add(-controlapi.KeepAnswers))
		})
	})
	return nil
}

// background runs f until the node stops, and waits for its end then.
func (n *Node) background(f func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	n.stack.push(func(stopping context.Context) error {
		cancel()
		select {
		case <-done:
			return nil
		case <-stopping.Done():
			return stopping.Err()
		}
	})
}

// every calls f at once and then from time to time until ctx is done.
func (n *Node) every(ctx context.Context, pause time.Duration, f func(context.Context) error) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		if err := f(ctx); err != nil && ctx.Err() == nil {
			n.log.Warn("not done, tried again later", "code", continuity.CodeOf(err), "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// stack is what is to be closed, the last first.
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
