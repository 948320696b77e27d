package flow

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/watch/probe"
)

// New reads Script (a flow's file), Target (its base, where it is not the flow's
// own), User and Auth (of the account), Timeout (of the steps, where it is less
// than the flow's own), Expires and Slow.
func New(spec probe.Spec, tools *probe.Tools) (probe.Probe, error) {
	f, problems := Parse(spec.ID, []byte(spec.Script))
	if f == nil {
		return nil, fmt.Errorf("watch: check %s: its flow has %d problems", spec.ID, len(problems))
	}
	if f.Account && (spec.User == "" || spec.Auth == nil) {
		return nil, fmt.Errorf("watch: check %s: the flow needs an account", spec.ID)
	}
	if spec.Timeout > 0 {
		f.Timeout = min(f.Timeout, spec.Timeout)
	}
	return &looker{spec, tools, f}, nil
}

type looker struct {
	spec  probe.Spec
	tools *probe.Tools
	flow  *Flow
}

// Run goes through the flow. It may last for the clean-up's time longer than the
// steps may.
func (l *looker) Run(ctx context.Context) continuity.CheckResult {
	began := time.Now()
	report := l.flow.Run(ctx, Options{
		Base: l.spec.Target, Client: l.tools.Web.Fresh, User: l.spec.User, Secret: l.spec.Auth,
		Mark: func(r *http.Request) { l.tools.Mark(r, l.spec.ID) },
	})
	o := report.Outcome
	if ctx.Err() == context.Canceled { // what was broken off says nothing
		o.State, o.Reason = continuity.CheckUnknown, continuity.CheckReason{Code: "watch.ended"}
	}
	if o.State == "" {
		o.State = continuity.CheckUp
		switch left := o.CertExpires.Sub(began); {
		case !o.CertExpires.IsZero() && left < l.spec.Expires:
			o.State = continuity.CheckDegraded
			o.Reason = continuity.CheckReason{Code: "watch.certificate-ends", Args: map[string]any{"days": int(left / (24 * time.Hour))}}
		case l.spec.Slow > 0 && report.Took > l.spec.Slow:
			o.State = continuity.CheckDegraded
			o.Reason = continuity.CheckReason{Code: "watch.slow", Args: map[string]any{"took": report.Took.Round(time.Millisecond).String(), "limit": l.spec.Slow.String()}}
		}
	}
	return continuity.CheckResult{
		Check: l.spec.ID, Node: l.tools.Node, At: began, State: o.State, Took: report.Took, Reason: o.Reason, Values: o.Values, CertExpires: o.CertExpires,
	}
}
