package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"holdfast/internal/continuity"
)

// Probe looks at one thing.
type Probe interface {
	Run(context.Context) continuity.CheckResult
}

// Outcome is what a kind found; the zero value is up.
type Outcome struct {
	State       continuity.CheckState
	Reason      continuity.CheckReason
	Values      map[string]float64
	CertExpires time.Time
}

// Down is a look that found what was not expected.
func Down(code string, pairs ...any) Outcome {
	return Outcome{State: continuity.CheckDown, Reason: because(code, pairs...)}
}

// Degraded is one that found something working, but not well.
func Degraded(code string, pairs ...any) Outcome {
	return Outcome{State: continuity.CheckDegraded, Reason: because(code, pairs...)}
}

// Unknown is one that learnt nothing.
func Unknown(code string, pairs ...any) Outcome {
	return Outcome{State: continuity.CheckUnknown, Reason: because(code, pairs...)}
}

// NoSecret is one that could not look: a secret can't be read. It says which, as
// the plan names it.
func NoSecret(err error) Outcome {
	var e *continuity.Error
	if errors.As(err, &e) && e.Code == continuity.CodeSecret {
		return Unknown("watch.no-secret", "reference", e.Args["reference"], "why", e.Args["why"])
	}
	return Unknown("watch.no-secret")
}

func because(code string, pairs ...any) continuity.CheckReason {
	r := continuity.CheckReason{Code: code}
	for i := 0; i+1 < len(pairs); i += 2 {
		if r.Args == nil {
			r.Args = make(map[string]any, len(pairs)/2)
		}
		r.Args[pairs[i].(string)] = pairs[i+1]
	}
	return r
}

// Make makes a probe of a kind's look. The look's context ends with its time.
func Make(spec Spec, tools *Tools, look func(context.Context) Outcome) Probe {
	if spec.Timeout <= 0 {
		spec.Timeout = DefaultTimeout
	}
	return &runner{spec.ID, tools.Node, spec.Timeout, spec.Slow, spec.Expires, look}
}

type runner struct {
	id, node               string
	timeout, slow, expires time.Duration
	look                   func(context.Context) Outcome
}

func (r *runner) Run(ctx context.Context) continuity.CheckResult {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	began := time.Now()
	o := r.look(ctx)
	took := time.Since(began)
	if o.State == "" {
		o.State = continuity.CheckUp
	}
	if o.State == continuity.CheckUp {
		switch left := o.CertExpires.Sub(began); {
		case !o.CertExpires.IsZero() && left < r.expires:
			o.State, o.Reason = continuity.CheckDegraded, because("watch.certificate-ends", "days", int(left/(24*time.Hour)))
		case r.slow > 0 && took > r.slow:
			o.State, o.Reason = continuity.CheckDegraded, because("watch.slow", "took", millis(took), "limit", r.slow.String())
		}
	}
	return continuity.CheckResult{
		Check: r.id, Node: r.node, At: began, State: o.State, Took: took,
		Reason: o.Reason, Values: o.Values, CertExpires: o.CertExpires,
	}
}

func millis(d time.Duration) string { return d.Round(time.Millisecond).String() }

// Expiry is when the first certificate of a verified connection ends: the chain
// fails with its weakest link.
func Expiry(state *tls.ConnectionState) time.Time {
	var first time.Time
	if state == nil {
		return first
	}
	chain := state.PeerCertificates
	if len(state.VerifiedChains) > 0 {
		chain = state.VerifiedChains[0]
	}
	for _, c := range chain {
		if first.IsZero() || c.NotAfter.Before(first) {
			first = c.NotAfter
		}
	}
	return first
}
