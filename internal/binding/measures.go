package binding

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/measure"
	"holdfast/internal/plan"
)

// Series that results of checks and the relays' figures land in.
const (
	SeriesUp      = "holdfast_check_up"
	SeriesSeconds = "holdfast_check_seconds"
	SeriesValue   = "holdfast_check_value"
	SeriesExpiry  = "holdfast_check_cert_expiry_seconds"

	RelayJob = "relay" // of the relays' figures; their instance is the relay's id
)

// Measures are the measures of a plan by their names; what can't be read is left
// out.
func Measures(p *plan.Plan) map[string]measure.Measure {
	out := map[string]measure.Measure{}
	if p.Tech == nil {
		return out
	}
	for name, m := range p.Tech.Measures {
		if bound, err := bindMeasure(p, name, m); err == nil {
			out[name] = bound
		}
	}
	return out
}

func bindMeasure(p *plan.Plan, name string, m *plan.Measure) (measure.Measure, error) {
	text := m.Query
	switch {
	case m.Relay != nil:
		text = relayFigure(p, m.Relay)
	case m.Check != "":
		text = checkFigure(p, m)
	}
	return measure.NewMeasure(name, text)
}

func checkFigure(p *plan.Plan, m *plan.Measure) string {
	of := "{service=" + strconv.Quote(p.ID) + ",check=" + strconv.Quote(m.Check)
	switch m.Figure {
	case "", "seconds":
		return SeriesSeconds + of + "}"
	case "up":
		return SeriesUp + of + "}"
	case "certificate":
		return SeriesExpiry + of + "}"
	}
	return SeriesValue + of + ",name=" + strconv.Quote(m.Figure) + "}"
}

// relayFigure is a figure of a route in PromQL.
func relayFigure(p *plan.Plan, f *plan.RelayFigure) string {
	relay := "relay"
	for i := range p.Tech.Routes {
		if p.Tech.Routes[i].ID == f.Route && p.Tech.Routes[i].Relay != "" {
			relay = p.Tech.Routes[i].Relay
		}
	}
	of := `job="` + RelayJob + `",instance=` + strconv.Quote(relay) + ",route=" + strconv.Quote(f.Route)
	series := func(name, more string) string { return "holdfast_relay_" + name + "{" + of + more + "}" }
	switch f.Figure {
	case "held":
		return "sum(" + series("backlog_records", `,state!="dead"`) + ")"
	case "bytes":
		return series("backlog_bytes", "")
	case "oldest":
		return series("backlog_oldest_seconds", "")
	case "in-doubt":
		return series("backlog_records", `,state="in-doubt"`)
	case "dead":
		return series("backlog_records", `,state="dead"`)
	case "drain":
		return series("drain_forecast_seconds", "")
	case "latency":
		return "p95 of " + series("request_seconds", "")
	case "failed":
		return "share of " + series("requests_total", `,class=~"5xx|none"`) + " in " + series("requests_total", "")
	case "refused":
		return "share of " + series("requests_total", `,outcome="refused"`) + " in " + series("requests_total", "")
	}
	return series("live_rate", "")
}

// checkMeasures reports measures that can't be read.
func checkMeasures(p *plan.Plan, r *Report) {
	if p.Tech == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(p.Tech.Measures)) {
		if _, err := bindMeasure(p, name, p.Tech.Measures[name]); err != nil {
			r.Tech("measures."+name, "warning.plan.measure", "name", name, "detail", detail(err))
		}
	}
}

// Scrape is one endpoint of a plan that is read.
type Scrape struct {
	Job, Instance string
	URL           string
	Every         time.Duration
	Timeout       time.Duration
	Samples       int
	Bytes         int64
	Auth          *plan.Secret // the field Authorization; nil: none
	Trust         *plan.Trust
	Allow         []string // private addresses that the plan names
}

// Fingerprint changes with all that is said of the endpoint.
func (s Scrape) Fingerprint() string { return fingerprintOf(s) }

// Scrapes are the endpoints that a plan reads. Their job is the plan's and the
// entry's id, so that no plan's figures mix with another's.
func Scrapes(p *plan.Plan) []Scrape {
	var out []Scrape
	if p.Tech == nil {
		return out
	}
	for i := range p.Tech.Scrape {
		s := &p.Tech.Scrape[i]
		for _, target := range s.Targets {
			out = append(out, Scrape{
				Job: p.ID + "/" + s.ID, Instance: instance(target), URL: target, Every: s.Every, Timeout: s.Timeout,
				Samples: int(s.Samples), Bytes: s.Bytes, Auth: s.Auth, Trust: s.Trust, Allow: p.Tech.Allow,
			})
		}
	}
	return out
}

// detail is what an engine says is wrong.
func detail(err error) string {
	var e *continuity.Error
	if errors.As(err, &e) {
		if text, ok := e.Args["detail"].(string); ok {
			return text
		}
	}
	return fmt.Sprint(err)
}
