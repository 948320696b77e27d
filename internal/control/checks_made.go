package control

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/secret"
	"holdfast/internal/watch"
	"holdfast/internal/watch/probe"
	"holdfast/internal/watch/probe/kinds"
)

// lookOf makes what looks at a check. What can't be made is unknown, and says so.
func lookOf(o binding.Order, tools *probe.Tools, secrets secret.Source, log *slog.Logger) watch.Looker {
	u := &unmade{order: o, tools: tools, secrets: secrets}
	if err := u.make(); err != nil {
		log.Warn("a check can't be made", "check", o.ID, "kind", o.Check.Kind(), "code", continuity.CodeOf(err), "error", err)
		return u
	}
	return u.made
}

// unmade stands for a check that can't be made here, such as for want of a file
// of certificates. Each look tries anew.
type unmade struct {
	order   binding.Order
	tools   *probe.Tools
	secrets secret.Source

	mu   sync.Mutex // somebody may look beside the scheduler
	made watch.Looker
}

func (u *unmade) make() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.made != nil {
		return nil
	}
	spec, err := u.order.Spec(u.secrets.Later)
	if err != nil {
		return err
	}
	look, err := kinds.New(spec, u.tools)
	if err != nil {
		return err
	}
	u.made = look
	return nil
}

// Run looks as soon as the check can be made.
func (u *unmade) Run(ctx context.Context) continuity.CheckResult {
	err := u.make()
	if err == nil {
		return u.made.Run(ctx)
	}
	o := probe.Unknown("watch.not-made")
	if e := new(continuity.Error); errors.As(err, &e) && e.Code == continuity.CodeSecret {
		o = probe.NoSecret(err)
	}
	return continuity.CheckResult{Check: u.order.ID, Node: u.tools.Node, At: time.Now(), State: o.State, Reason: o.Reason}
}
