package keeping

import (
	"context"
	"log/slog"
	"math/bits"
	"strings"

	"holdfast/internal/continuity"
)

// say writes down how a work failed, as it ends. A backup that failed is a line of its own;
// what is tried every few seconds is said less and less often.
func (e *Engine) say(ctx context.Context, f *flight, out outcome) {
	if ctx.Err() != nil || f.kind == workLook { // it was ended; and where targets are away the set says so
		return
	}
	set, work := slog.String("set", f.set.Key()), slog.String("work", f.kind)
	v := out.verdict
	switch missing := missed(out.captured.Targets); {
	case out.err != nil && f.kind == continuity.WorkFollow:
		if tries := e.tries(f); seldom(tries) {
			e.o.Log.Warn("changes are not copied", set, "targets", strings.Join(f.set.Targets, " "), "tries", tries, "reason", Reason(out.err).Line(), "error", out.err)
		}
	case out.err != nil:
		if missing == "" {
			missing = strings.Join(f.set.Targets, " ")
		}
		e.o.Log.Warn("a work on backups failed", set, work, "targets", missing, "tries", e.tries(f), "reason", Reason(out.err).Line(), "error", out.err)
	case missing != "":
		e.o.Log.Warn("a backup is not on all of its targets", set, work, "backup", out.captured.Manifest.ID, "missing", missing)
	case f.kind == continuity.WorkVerify && !v.Proven.Good:
		e.o.Log.Error("a backup is bad", set, work, "backup", v.Piece, "target", v.Proven.Target, "differ", strings.Join(v.Proven.Differ, ", "), "code", v.Proven.Failed)
	}
}

// tries is how often in a row a work failed, with this time.
func (e *Engine) tries(f *flight) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if f.well {
		return 1
	}
	return f.before + 1
}

// missed are the targets that did not take a piece, each with why.
func missed(targets []continuity.TargetResult) string {
	var all []string
	for _, r := range targets {
		if r.Why.Code != "" {
			all = append(all, r.Target+": "+r.Why.Line())
		}
	}
	return strings.Join(all, "; ")
}

// seldom picks the tries that are written down of what is tried again soon: the 1st, 2nd,
// 4th, 8th and so on.
func seldom(tries int) bool { return bits.OnesCount(uint(tries)) == 1 } // #nosec G115 -- not negative
