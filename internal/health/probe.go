package health

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/upstream"
)

// Probe checks a standby. What it finds is no switch: it only saves requests the
// way to a standby that is down, too. Without a check the standby counts as up.
type Probe struct {
	standby continuity.Standby
	route   string
	sender  upstream.Sender
	logger  *slog.Logger
	down    atomic.Bool
}

// NewProbe makes a Probe that has yet to run.
func NewProbe(route string, s continuity.Standby, sender upstream.Sender, logger *slog.Logger) *Probe {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Probe{standby: s, route: route, sender: sender, logger: logger}
}

// Up reports whether the standby is up, as far as is known.
func (p *Probe) Up() bool { return !p.down.Load() }

// Checked reports whether there is a check at all.
func (p *Probe) Checked() bool { return p.standby.Path != "" && p.standby.Every > 0 }

// Run checks until ctx is done.
func (p *Probe) Run(ctx context.Context) {
	if !p.Checked() {
		return
	}
	tick := time.NewTicker(p.standby.Every)
	defer tick.Stop()
	for row := 0; ; {
		ok := ask(ctx, p.sender, p.standby.Upstream, p.standby.Path, p.standby.Every)
		if ctx.Err() != nil {
			return
		}
		if row++; ok == p.Up() {
			row = 0
		}
		if need := max(1, p.standby.Down); p.Up() && row >= need || !p.Up() && row >= max(1, p.standby.Up) {
			p.down.Store(p.Up())
			row = 0
			p.logger.Info("standby switched", "route", p.route, "up", p.Up())
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
