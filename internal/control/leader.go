package control

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/continuity"
)

// leaseName is the lease that the leader of all control nodes holds.
const leaseName = "control"

// leases are rights that one node holds at a time; *store.Store has them.
type leases interface {
	Lead(ctx context.Context, name, node string, lease time.Duration) (continuity.Lease, bool, error)
	Resign(ctx context.Context, l continuity.Lease) error
}

// leader holds the lease as long as it can, and runs what is done by the leader
// alone. What it runs has ended before the lease is over, as far as clocks go;
// what it commits is fenced by the lease, whatever clocks say.
type leader struct {
	store    leases
	instance string
	lease    time.Duration
	log      *slog.Logger
	duties   []duty // constant once run is called
	held     atomic.Pointer[continuity.Lease]
	wrote    atomic.Int64 // when the database last took a write, in nanoseconds
}

type duty struct {
	name string
	run  func(context.Context, *continuity.Lease)
}

func (n *Node) openLeader(context.Context) error {
	n.leader = &leader{store: n.store, instance: n.instance, lease: n.o.Config.Lease, log: n.log}
	if n.o.engine != nil {
		n.o.engine(n)
	}
	return nil
}

// whileLeading has run called whenever this node begins to lead; its context ends
// when the node leads no longer. Call it before announce.
func (n *Node) whileLeading(name string, run func(context.Context, *continuity.Lease)) {
	n.leader.duties = append(n.leader.duties, duty{name, run})
}

// leads returns the lease while this node leads, and nil else.
func (n *Node) leads() *continuity.Lease { return n.leader.held.Load() }

// run takes the lease whenever it is free, until ctx is done.
func (l *leader) run(ctx context.Context) {
	failing := false
	for ctx.Err() == nil {
		began := time.Now()
		lease, ok, err := l.take(ctx)
		if failing != (err != nil) && ctx.Err() == nil {
			if failing = err != nil; failing {
				l.log.Error("the lease to lead can't be asked for", "code", continuity.CodeOf(err), "error", err)
			}
		}
		if ok && err == nil {
			l.lead(ctx, began, lease)
			continue
		}
		pause(ctx, l.lease/4)
	}
}

func (l *leader) take(ctx context.Context) (continuity.Lease, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, l.lease/4)
	defer cancel()
	lease, ok, err := l.store.Lead(ctx, leaseName, l.instance, l.lease)
	if err == nil {
		l.wrote.Store(time.Now().UnixNano())
	}
	return lease, ok, err
}

// lead runs all duties until the lease can't be renewed in time.
func (l *leader) lead(ctx context.Context, began time.Time, lease continuity.Lease) {
	l.log.Info("leading", "fence", lease.Fence)
	l.held.Store(&lease)
	leading, stop := context.WithCancel(ctx)
	var working sync.WaitGroup
	for _, d := range l.duties {
		working.Go(func() { d.run(leading, &lease) })
	}
	// An eighth of the lease is left for the duties to end in.
	for until := began.Add(l.lease - l.lease/8); ; {
		pause(ctx, min(l.lease/4, time.Until(until)))
		if ctx.Err() != nil {
			break
		}
		again := time.Now()
		renewed, ok, err := l.take(ctx)
		if err == nil && (!ok || renewed.Fence != lease.Fence) {
			break // another node leads, or has led meanwhile
		}
		if err == nil {
			until = again.Add(l.lease - l.lease/8)
		} else if !time.Now().Before(until) {
			l.log.Error("the lease to lead can't be renewed", "code", continuity.CodeOf(err), "error", err)
			break
		}
	}
	l.held.Store(nil)
	stop()
	working.Wait()
	l.log.Info("leading no longer", "fence", lease.Fence)
	// Another node need not wait for the lease's end.
	resigning, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := l.store.Resign(resigning, lease); err != nil {
		l.log.Warn("the lease was not given back", "code", continuity.CodeOf(err), "error", err)
	}
}

// pause waits for a time, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
