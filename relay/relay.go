package relay

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/app"
	"holdfast/internal/continuity"
	"holdfast/internal/nethttp"
)

// Options say how to run a relay.
type Options struct {
	// Config is the file of the configuration, relay.yaml. Required.
	Config string
	// Listen has the relay serve clients where the configuration says, beside
	// requests from within the program.
	Listen bool
	// Logger gets what happens; default: slog.Default().
	Logger *slog.Logger
}

// Relay is a relay that runs. Its methods are safe for concurrent use.
type Relay struct {
	app     *app.App
	control api.Control
	handler http.Handler
}

// Open starts a relay and returns when it takes requests. A configuration with
// mistakes is an error with code "config", a journal that another process has
// open one with "locked".
func Open(ctx context.Context, o Options) (*Relay, error) {
	a := app.New(app.Options{ConfigFile: o.Config, Version: "embedded", Inside: !o.Listen, Logger: o.Logger})
	if err := a.Start(ctx); err != nil {
		return nil, err
	}
	return &Relay{
		app: a, control: a.Control(),
		handler: nethttp.Handler(nethttp.Options{Handler: a.Handle, Logger: o.Logger}),
	}, nil
}

// Close ends the relay: what is under way is finished until ctx is done, and
// the journal is closed. Servers and clients that use it should be stopped
// before.
func (r *Relay) Close(ctx context.Context) error { return r.app.Stop(ctx) }

// Failed delivers what ends the relay by itself, if ever anything does.
func (r *Relay) Failed() <-chan error { return r.app.Failed() }

// Handler answers requests by the routes of the configuration.
func (r *Relay) Handler() http.Handler { return r.handler }

// AdminAddr is where the admin API listens, host:port.
func (r *Relay) AdminAddr() string { return r.app.AdminAddr() }

// Reload reads the configuration again. One with mistakes is an error with code
// "config", and the one in use goes on.
func (r *Relay) Reload(ctx context.Context) error {
	result, err := r.control.Reload(ctx)
	if err != nil || result.Applied {
		return err
	}
	text := "not applied"
	if len(result.Problems) > 0 {
		text = result.Problems[0].Text
	}
	return continuity.E(continuity.CodeConfig, errors.New("relay: "+text))
}

// Setting says who switches a route, and why; people read it on the worst day
// of their year.
type Setting struct {
	Route  string
	Person string
	Why    string
	For    time.Duration // 0: until Auto
}

// Hold has a route keep what it may hold. It is durable when it returns.
func (r *Relay) Hold(s Setting) error { return r.put(s, continuity.IntakeHold.String()) }

// Pass has a route pass everything, unless somebody else holds it.
func (r *Relay) Pass(s Setting) error { return r.put(s, continuity.IntakePass.String()) }

// Auto lifts the person's setting; health decides again.
func (r *Relay) Auto(s Setting) error { return r.put(s, "auto") }

func (r *Relay) put(s Setting, intake string) error {
	_, err := r.control.Switch(api.SwitchRequest{Route: s.Route, Intake: intake, Person: s.Person, Why: s.Why, For: s.For.Seconds()})
	return err
}

// Route is how a route fares. Counts are of records since the journal began,
// and balance: Accepted = Delivered + Refused + Dead + Discarded + Pending.
type Route struct {
	ID        string
	Mode      string // observe, pass, hold, drain ...
	Health    string // up, down, trial or unchecked
	Accepted  int64
	Delivered int64
	Refused   int64
	Dead      int64
	Discarded int64
	Pending   int64
	Oldest    time.Duration // how long the oldest pending record has waited
	Ends      time.Duration // until the drain is over, if it is known; else 0
}

// Routes tells how the routes fare, in the order of the configuration.
func (r *Relay) Routes(ctx context.Context) ([]Route, error) {
	status, err := r.app.Status(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Route, len(status.Routes))
	for i, s := range status.Routes {
		n := s.Counters
		out[i] = Route{
			ID: s.ID, Mode: string(s.Mode), Health: s.Health,
			Accepted: n.Accepted, Delivered: n.DeliveredAtOnce + n.DeliveredAfterDoubt, Refused: n.Refused, Dead: n.Dead,
			Discarded: n.Discarded, Pending: n.Pending, Oldest: seconds(n.Oldest), Ends: seconds(s.Drain.Ends),
		}
	}
	return out, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Code is the stable name of what went wrong, such as "config", "locked" or
// "disk-full"; "internal" for an error without one, and empty for nil.
func Code(err error) string { return string(continuity.CodeOf(err)) }
