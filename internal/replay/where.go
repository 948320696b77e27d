package replay

import (
	"slices"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/upstream"
)

// where returns what sends a record to the upstream that it was attempted at
// (rule 4.7), and whether that is the route's first one; nil where that upstream
// is no longer configured. What was attempted nowhere goes to the first.
func (d *Drainer) where(rec *continuity.Record) (sender upstream.Sender, own bool) {
	r, at := &d.Route, rec.Upstream
	switch {
	case at == "" || at == r.Upstream || slices.Contains(r.Moved, at):
		return d.Sender, true
	case r.Standby != nil && d.Standby != nil && (at == r.Standby.Upstream || slices.Contains(r.Standby.Moved, at)):
		return d.Standby, false
	}
	return nil, false
}

// besideWait is how long a record of the standby waits at least before it is
// tried again: no ramp and no trust bound such tries.
const besideWait = 5 * time.Second

// beside takes an attempt at the standby into account: it says nothing about the
// route's first upstream.
func (d *Drainer) beside(v *Verdict) {
	if o := &v.Outcome; o.To == continuity.Queued || o.To == continuity.InDoubt {
		o.After = max(o.After, besideWait)
	}
}
