package app

import (
	"strings"
	"time"

	"holdfast/internal/admission"
	"holdfast/internal/api"
	"holdfast/internal/continuity"
)

// admissionSuffix and lineSuffix end the owners of people's settings of
// admission: each stands beside those of intake and replay.
const (
	admissionSuffix = ":admission"
	lineSuffix      = ":line"
)

// Admission implements api.Admitting.
func (d *desk) Admission(route string) ([]api.Admission, error) {
	if err := d.Ready(); err != nil {
		return nil, err
	}
	out := []api.Admission{}
	lanes := d.lanes.Load()
	for _, id := range lanes.order {
		if route == "" || id == route {
			if a := d.admission(lanes.byID[id]); a != nil {
				out = append(out, *a)
			} else if id == route {
				out = append(out, api.Admission{Route: id, Refused: map[string]int64{}})
			}
		}
	}
	if route != "" && lanes.byID[route] == nil {
		return nil, d.noRoute(route)
	}
	return out, nil
}

// admission describes what a route lets in; nil: everything.
func (d *desk) admission(l *lane) *api.Admission {
	g := l.gate.Load()
	if g == nil {
		return nil
	}
	i := g.Info()
	a := &api.Admission{Route: l.route.ID, Rate: i.Rate, Concurrency: i.Concurrency, Adaptive: i.Adaptive, OnWay: i.OnWay,
		Addresses: i.Addresses, Admitted: i.Admitted, Refused: map[string]int64{}, Shedding: i.Shedding}
	if i.Rate > 0 {
		a.RateBy = i.RateBy.String()
	}
	for _, r := range admission.Reasons() {
		if n := i.Refused[r]; n > 0 {
			a.Refused[r.String()] = n
		}
	}
	if d.ledger == nil {
		return a
	}
	for _, s := range d.ledger.Switches(l.route.ID) {
		if s.Rate > 0 || s.Concurrency > 0 || s.Line != nil {
			a.Settings = append(a.Settings, api.AdmissionSet{Owner: s.Owner, Reason: s.Reason, Rate: s.Rate, Concurrency: s.Concurrency,
				Line: s.Line != nil, Force: s.Force, Until: s.Until})
		}
	}
	if standing := d.ledger.Admitting(l.route.ID); standing.Line != nil && g.Line() != nil {
		a.Line = waitingLine(g.Line().Info(time.Now(), standing.Line))
	}
	return a
}

func waitingLine(i admission.LineInfo) *api.WaitingLine {
	w := &api.WaitingLine{Since: i.Since, Open: i.Step, Waiting: i.Waiting, Next: i.Next.Seconds(), Most: i.Most, Why: string(i.Why)}
	for _, b := range i.Batches {
		w.Batches = append(w.Batches, api.LineBatch{Group: b.Name, Share: b.Share, Open: b.Open, Tickets: b.Tickets, Served: b.Served})
	}
	return w
}

// Admit implements api.Admitting.
func (d *desk) Admit(r api.AdmissionRequest) ([]api.Admission, error) {
	if err := d.usable(); err != nil {
		return nil, err
	}
	l := d.lane(r.Route)
	if l == nil {
		return nil, d.noRoute(r.Route)
	}
	puts, err := d.admissionSwitches(l, r, time.Now())
	if err != nil {
		return nil, err
	}
	d.admit.lines.Lock()
	if r.Line {
		puts, err = d.ownLine(r, puts)
	}
	if r.Lift == api.LiftLine {
		for _, s := range d.lineSwitches(r.Route) {
			puts = append(puts, continuity.Switch{Route: s.Route, Owner: s.Owner, Reason: r.Why, Lift: true})
		}
	}
	for i := 0; i < len(puts) && err == nil; i++ {
		err = d.ledger.Switch(puts[i])
	}
	d.admit.lines.Unlock()
	if err != nil {
		return nil, err
	}
	d.restrain(l)
	return d.Admission(r.Route)
}

// ownLine has a line that stands by the same person open as far as is asked for now;
// another one's is left alone.
func (d *desk) ownLine(r api.AdmissionRequest, puts []continuity.Switch) ([]continuity.Switch, error) {
	standing := d.lineSwitches(r.Route)
	if len(standing) == 0 {
		return puts, nil
	}
	last := len(puts) - 1 // the line is put last
	if len(standing) > 1 || standing[0].Owner != puts[last].Owner || r.Open == 0 && standing[0].Line.Most == 0 {
		return nil, invalid("api.invalid.line-stands", "name", r.Route)
	}
	line := *standing[0].Line
	line.Most = r.Open
	puts[last].Line = &line
	return puts, nil
}

// admissionSwitches turns a person's request into the settings it puts or lifts.
func (d *desk) admissionSwitches(l *lane, r api.AdmissionRequest, now time.Time) ([]continuity.Switch, error) {
	sets := r.Rate > 0 || r.Concurrency > 0 || r.Line
	switch {
	case r.Rate < 0 || r.Rate > 1e9 || r.Concurrency < 0 || r.Concurrency > 1e9 || sets == (r.Lift != ""),
		r.Lift != "" && r.Lift != api.LiftLimits && r.Lift != api.LiftLine, r.Owner != "" && r.Lift != api.LiftLimits,
		r.Open < 0 || r.Open > 255 || r.Open > 0 && !r.Line:
		return nil, invalid("api.invalid.admission")
	case r.For < 0:
		return nil, invalid("api.invalid.for")
	case r.Force && r.For == 0 && sets:
		return nil, invalid("api.invalid.until")
	case r.Line && l.route.Line == nil:
		return nil, invalid("api.invalid.lineless", "name", r.Route)
	case r.Owner != "" && !strings.HasPrefix(r.Owner, operator):
		return nil, invalid("api.invalid.lift", "owner", r.Owner)
	}
	base := continuity.Switch{Route: r.Route, Owner: operator + r.Person + admissionSuffix, Reason: r.Why, Force: r.Force}
	if r.For > 0 {
		base.Until = now.Add(time.Duration(r.For * float64(time.Second))).Truncate(time.Millisecond)
	}
	var puts []continuity.Switch
	switch {
	case r.Lift == api.LiftLimits:
		if base.Lift = true; r.Owner != "" {
			base.Owner = r.Owner
		}
		return []continuity.Switch{base}, nil
	case r.Rate > 0 || r.Concurrency > 0:
		limits := base
		limits.Rate, limits.Concurrency = r.Rate, r.Concurrency
		puts = append(puts, limits)
	}
	if r.Line {
		line := base
		line.Owner = operator + r.Person + lineSuffix
		healthy := time.Duration(0)
		if g := l.gate.Load(); g != nil && g.Line() != nil {
			healthy = g.Line().Healthy()
		}
		line.Line = newLine(now, healthy)
		line.Line.Most = r.Open
		puts = append(puts, line)
	}
	return puts, nil
}
