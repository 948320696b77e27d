package binding

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/measure"
	"holdfast/internal/plan"
	"holdfast/internal/warning"
)

// Threshold is a warning of a plan that measures make: a rule, or the rules of a
// promise, of which the worst counts.
type Threshold struct {
	ID      string // of its warning
	Service string
	Source  string // measure, slo
	Rule    string // its id in the plan
	Text    continuity.Text
	Owner   string
	Partial bool
	Sign    string
	Rules   []measure.Rule
}

// Thresholds are the warnings of a plan that measures make; what can't be read
// is left out, as is what has no name to be told by.
func Thresholds(p *plan.Plan) []Threshold {
	var out []Threshold
	measures := Measures(p)
	for i := range p.Warnings {
		w := &p.Warnings[i]
		if w.Measure == "" || w.ID == "" {
			continue
		}
		if r, err := threshold(p, w, measures); err == nil {
			out = append(out, Threshold{
				ID: r.ID, Service: p.ID, Source: continuity.FromMeasure, Rule: w.ID, Text: text(w.Name, w.ID), Owner: w.Owner,
				Partial: w.Partial || w.Sign != "", Sign: w.Sign, Rules: []measure.Rule{r},
			})
		}
	}
	for i := range p.SLOs {
		s := &p.SLOs[i]
		if s.ID == "" {
			continue
		}
		if rules, err := promise(p, s, measures); err == nil {
			id := warning.SLOID(p.ID, s.ID)
			out = append(out, Threshold{ID: id, Service: p.ID, Source: continuity.FromSLO, Rule: s.ID, Text: unkept(text(s.Name, s.ID)), Rules: rules})
		}
	}
	return out
}

// unkept says that what a promise is called after does not hold: promises are named
// by what is well.
func unkept(name continuity.Text) (t continuity.Text) {
	if name.En != "" {
		t.En = catalogue.Text(catalogue.En, "warning.unkept", catalogue.Args{"name": name.En})
	}
	if name.Zh != "" {
		t.Zh = catalogue.Text(catalogue.Zh, "warning.unkept", catalogue.Args{"name": name.Zh})
	}
	return t
}

func threshold(p *plan.Plan, w *plan.WarningRule, measures map[string]measure.Measure) (measure.Rule, error) {
	m, known := measures[w.Measure]
	if !known {
		return measure.Rule{}, errElsewhere
	}
	r := measure.Rule{ID: warning.RuleID(p.ID, w.ID), Measure: m, Clear: w.Clear, For: w.For, Level: w.Level}
	switch {
	case w.Over != nil:
		r.Limit = *w.Over
	case w.Under != nil:
		r.Limit, r.Under = *w.Under, true
	default:
		return r, errElsewhere
	}
	return r, r.Check()
}

// errElsewhere says that what is wrong is told where it stands.
var errElsewhere = errors.New("it is wrong elsewhere")

func promise(p *plan.Plan, s *plan.SLO, measures map[string]measure.Measure) ([]measure.Rule, error) {
	slo := measure.SLO{Name: warning.SLOID(p.ID, s.ID), Target: s.Objective, Window: length(s.Window), Fast: s.Fast, Slow: s.Slow}
	if s.Check != "" {
		slo.Up = checkFigure(p, &plan.Measure{Check: s.Check, Figure: "up"})
	} else {
		good, known1 := measures[s.Good]
		total, known2 := measures[s.Total]
		if !known1 || !known2 {
			return nil, errElsewhere
		}
		slo.Good, slo.Total = good.Exprs[0], total.Exprs[0]
	}
	if err := slo.Check(); err != nil {
		return nil, err
	}
	return slo.Rules(), nil
}

// length is a period as a time; a month has thirty days.
func length(p plan.Period) time.Duration {
	return time.Duration(30*p.Months+p.Days)*24*time.Hour + p.Exact
}

// Whole reports whether engines get all checks, warnings and promises of a plan, as
// they do of one in which nothing is wrong.
func Whole(p *plan.Plan) bool {
	checks, rules := 0, len(p.SLOs)
	if p.Tech != nil {
		checks = len(p.Tech.Checks)
	}
	for i := range p.Warnings {
		if w := &p.Warnings[i]; w.Measure != "" || w.Check != "" {
			rules++
		}
	}
	return len(Orders(p)) == checks && len(Thresholds(p))+len(CheckRules(p)) == rules
}

// CheckRules are the warnings of a plan that states of checks make.
func CheckRules(p *plan.Plan) []warning.CheckRule {
	var out []warning.CheckRule
	for i := range p.Warnings {
		w := &p.Warnings[i]
		if w.Check == "" || w.ID == "" {
			continue
		}
		out = append(out, warning.CheckRule{
			Service: p.ID, Rule: w.ID, Check: p.ID + "/" + w.Check, State: continuity.CheckState(w.State), For: w.For,
			Level: continuity.Level(w.Level), Text: text(w.Name, w.ID), Owner: w.Owner, Partial: w.Partial || w.Sign != "", Sign: w.Sign,
		})
	}
	return out
}

// ReportRule is how many reports of staff make a warning; false: none do.
func ReportRule(p *plan.Plan) (warning.ReportRule, bool) {
	s := p.Reports
	if s == nil {
		return warning.ReportRule{}, false
	}
	return warning.ReportRule{
		Service: p.ID, Text: text(p.Name, p.ID), Count: int(s.Count), Within: s.Within, Each: s.Each, Twice: s.Twice, Quiet: s.Quiet,
		Level: continuity.Level(s.Level),
	}, true
}

// Gate is a route of a relay that goes by a check.
type Gate struct {
	Service string
	Relay   string
	Route   string
	Check   string // service/check
}

// Gates are the routes whose health follows a check.
func Gates(p *plan.Plan) []Gate {
	var out []Gate
	if p.Tech == nil {
		return out
	}
	for i := range p.Tech.Routes {
		if r := &p.Tech.Routes[i]; r.Health != "" {
			out = append(out, Gate{Service: p.ID, Relay: r.Relay, Route: r.ID, Check: p.ID + "/" + r.Health})
		}
	}
	return out
}

// checkWarnings reports thresholds and promises that can't work.
func checkWarnings(p *plan.Plan, r *Report) {
	measures := Measures(p)
	for i := range p.Warnings {
		w := &p.Warnings[i]
		if w.Measure == "" {
			continue
		}
		if _, err := threshold(p, w, measures); err != nil && !errors.Is(err, errElsewhere) {
			r.Plan(fmt.Sprintf("warnings[%d]", i), "warning.plan.threshold", "id", w.ID, "detail", detail(err))
		}
	}
	for i := range p.SLOs {
		s, where := &p.SLOs[i], fmt.Sprintf("slos[%d]", i)
		if _, err := promise(p, s, measures); err != nil && !errors.Is(err, errElsewhere) {
			r.Plan(where, "warning.plan.slo", "id", s.ID, "detail", detail(err))
		}
		if d := length(s.Window); d < longestLook {
			r.Plan(where+".window", "warning.plan.window", "id", s.ID, "least", "3d")
		}
	}
}

// longestLook is how far back the rules of a promise look.
const longestLook = 3 * 24 * time.Hour

// text is a name, or the id where there is none.
func text(name plan.Text, id string) continuity.Text {
	t := continuity.Text{En: name.En, Zh: name.Zh}
	if t == (continuity.Text{}) {
		t.En = id
	}
	return t
}

// instance is the host and port of an address.
func instance(target string) string {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" {
		return target
	}
	return u.Host
}
