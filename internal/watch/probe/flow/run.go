package flow

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/watch/probe"
)

// The states of a step.
const (
	Done    = "done"
	Slow    = "slow" // it works, later than expected
	Failed  = "failed"
	Skipped = "skipped" // it needs what an earlier step did not give
)

// Options are what a run has from its node.
type Options struct {
	Base   string       // in place of the flow's own
	Client *http.Client // guarded; its cookies are the run's own
	User   string
	Secret probe.Secret
	Mark   func(*http.Request) // says that a request is of a check
	Told   func(StepResult)    // after each step; may be nil
}

// StepResult is how a step ended.
type StepResult struct {
	ID      string                 `json:"id"`
	Name    Text                   `json:"name,omitzero"`
	Cleanup bool                   `json:"cleanup,omitempty"`
	State   string                 `json:"state"`
	Status  int                    `json:"status,omitempty"` // of the last answer
	Tries   int                    `json:"tries,omitempty"`
	Took    time.Duration          `json:"took"`
	Reason  continuity.CheckReason `json:"reason,omitzero"`

	unknown bool // nothing was learnt about the service
}

// Report is how a run ended.
type Report struct {
	Run     string        // the mark of all that it made
	Steps   []StepResult  // in order, the clean-up's last
	Took    time.Duration // without the clean-up
	Outcome probe.Outcome
}

// run is one way through a flow.
type run struct {
	flow    *Flow
	options Options
	client  *http.Client
	base    string
	vars    variables
	expires time.Time // the first of the certificates that were shown
	report  Report
}

// Run goes through the flow once. It ends with ctx or the flow's time, and then
// cleans up within a time of its own.
func (f *Flow) Run(ctx context.Context, o Options) Report {
	r := &run{flow: f, options: o, base: f.Base}
	if o.Base != "" {
		r.base = strings.TrimSuffix(o.Base, "/")
	}
	if outcome, ok := r.prepare(); !ok {
		r.report.Outcome = outcome
		return r.report
	}
	began := time.Now()
	sent := r.walk(ctx)
	r.report.Took = time.Since(began)
	if sent {
		r.clean(ctx)
	}
	r.conclude()
	return r.report
}

func (r *run) prepare() (probe.Outcome, bool) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return probe.Unknown("watch.failed"), false
	}
	client := *r.options.Client
	client.Jar = jar
	client.CheckRedirect = r.follow(r.options.Client.CheckRedirect)
	r.client = &client
	r.report.Run = "hf-" + strings.ToLower(rand.Text()[:12])
	n, err := rand.Int(rand.Reader, big.NewInt(9e14))
	if err != nil {
		return probe.Unknown("watch.own-resources"), false
	}
	r.vars = variables{
		varRun: r.report.Run, varNumber: fmt.Sprint(n.Int64() + 1e14), varTime: time.Now().UTC().Format(time.RFC3339),
	}
	if r.flow.Account {
		if r.options.User == "" || r.options.Secret == nil {
			return probe.Unknown("watch.flow-account"), false
		}
		secret, err := r.options.Secret()
		if err != nil {
			return probe.NoSecret(err), false
		}
		r.vars[varUser], r.vars[varSecret] = r.options.User, secret
	}
	own := variables{}
	for name, text := range r.flow.document.Vars {
		own[name], _ = r.vars.fill(template(text), nil)
	}
	for name, text := range own {
		r.vars[name] = text
	}
	return probe.Outcome{}, true
}

// follow keeps to one host, whatever the client does.
func (r *run) follow(next func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		if next == nil || req.URL.Hostname() != via[0].URL.Hostname() {
			return http.ErrUseLastResponse
		}
		return next(req, via)
	}
}

// walk goes through the steps; sent says whether any was sent.
func (r *run) walk(ctx context.Context) (sent bool) {
	ctx, cancel := context.WithTimeout(ctx, r.flow.Timeout)
	defer cancel()
	for _, s := range r.flow.steps {
		result := r.step(ctx, s)
		sent = sent || result.State != Skipped
		r.note(result)
		if result.State == Failed && (!s.Partial || ctx.Err() != nil) {
			break
		}
	}
	return sent
}

// clean takes away what the steps made: also after the run's time, and when the
// node is told to stop.
func (r *run) clean(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.flow.After)
	defer cancel()
	for _, s := range r.flow.cleanup {
		r.note(r.step(ctx, s))
	}
}

func (r *run) note(result StepResult) {
	r.report.Steps = append(r.report.Steps, result)
	if r.options.Told != nil {
		r.options.Told(result)
	}
}

// step does one, as often as it is to be tried.
func (r *run) step(ctx context.Context, s *step) StepResult {
	result := StepResult{ID: s.ID, Name: s.Name, Cleanup: s.after}
	if missing := s.needs(r.vars); missing != "" && !strings.HasPrefix(missing, s.ID+".") {
		result.State, result.Reason = Skipped, continuity.CheckReason{Code: "watch.flow-skipped", Args: map[string]any{"name": missing}}
		return result
	}
	began := time.Now()
	tries, pause, end := int64(1), time.Duration(0), began
	switch {
	case s.Until != nil:
		tries, pause, end = 1<<20, s.Until.Every, began.Add(s.Until.For)
	case s.Retry != nil:
		tries, pause = s.Retry.Times+1, s.Retry.Pause
	}
	var o probe.Outcome
	for try := int64(1); ; try++ {
		result.Tries = int(try)
		var again bool
		o, again = r.try(ctx, s, &result)
		if o.State == "" || try == tries || ctx.Err() != nil {
			break
		}
		if s.Until == nil && !again {
			break
		}
		if s.Until != nil && time.Now().Add(pause).After(end) {
			o = probe.Down("watch.flow-not-in-time", "limit", s.Until.For.String())
			break
		}
		if !wait(ctx, pause) {
			break
		}
	}
	result.Took = time.Since(began)
	result.State, result.Reason, result.unknown = Done, o.Reason, o.State == continuity.CheckUnknown
	switch {
	case o.State != "":
		result.State = Failed
	case s.Expect.Within > 0 && result.Took > s.Expect.Within:
		result.State = Slow
		result.Reason = continuity.CheckReason{Code: "watch.slow", Args: map[string]any{"took": result.Took.Round(time.Millisecond).String(), "limit": s.Expect.Within.String()}}
	}
	result.Reason.Step = stepOf(result)
	return result
}

func stepOf(r StepResult) string {
	if r.Reason.Code == "" {
		return ""
	}
	return r.ID
}

// wait pauses unless the run ends.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// try sends once. again says whether another try could fare better.
func (r *run) try(ctx context.Context, s *step, result *StepResult) (o probe.Outcome, again bool) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	request, err := s.request(ctx, r.base, r.vars)
	if err != nil {
		return probe.Down("watch.flow-request"), false
	}
	if r.options.Mark != nil {
		r.options.Mark(request)
	}
	result.Status = 0
	response, err := r.client.Do(request)
	if err != nil {
		return probe.Failed(err), true
	}
	defer func() { _ = response.Body.Close() }()
	result.Status = response.StatusCode
	if ends := probe.Expiry(response.TLS); !ends.IsZero() && (r.expires.IsZero() || ends.Before(r.expires)) {
		r.expires = ends
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		var long *http.MaxBytesError
		return probe.Failed(err), !errors.As(err, &long)
	}
	busy := response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests
	return s.judge(&answer{Response: response, body: body}, r.vars), busy
}
