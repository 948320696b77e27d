package config

import (
	"slices"
	"time"

	"holdfast/internal/continuity"
)

type admissionBlock struct {
	block
	Rate        value[float64] `yaml:"rate" kind:"rate" example:"500/s"`
	Burst       value[int64]   `yaml:"burst" kind:"int" min:"1" example:"50"`
	Concurrency value[int64]   `yaml:"concurrency" kind:"int" min:"1" example:"200"`
	Adaptive    adaptiveBlock  `yaml:"adaptive"`
	Capacity    value[string]  `yaml:"capacity" kind:"word" of:"stated,measured,off" default:"stated"`
	Client      clientBlock    `yaml:"client"`
	Classes     classesBlock   `yaml:"classes"`
	Overflow    value[string]  `yaml:"overflow" kind:"word" of:"shed,hold" default:"shed"`
}

type adaptiveBlock struct {
	block
	Least value[int64]   `yaml:"least" kind:"int" min:"1" max:"100000" default:"4"`
	Most  value[int64]   `yaml:"most" kind:"int" min:"1" max:"100000" default:"1000"`
	Start value[int64]   `yaml:"start" kind:"int" min:"1" max:"100000" default:"20"`
	Slow  value[float64] `yaml:"slow" kind:"number" default:"2"`
}

type clientBlock struct {
	block
	Rate        value[float64] `yaml:"rate" kind:"rate" example:"20/s"`
	Burst       value[int64]   `yaml:"burst" kind:"int" min:"1" example:"40"`
	Concurrency value[int64]   `yaml:"concurrency" kind:"int" min:"1" example:"10"`
	Addresses   value[int64]   `yaml:"addresses" kind:"int" min:"16" max:"10000000" default:"65536"`
}

type classesBlock struct {
	block
	By        value[string] `yaml:"by" kind:"word" of:"header,caller" default:"header"`
	Header    value[string] `yaml:"header" kind:"header" example:"X-Class"`
	Order     list[string]  `yaml:"order" kind:"text" required:"true" example:"[checkout, normal, crawler]"`
	Otherwise value[string] `yaml:"otherwise" kind:"text" example:"normal"`
	Members   []memberBlock `yaml:"members"`
}

type memberBlock struct {
	block
	Class   value[string] `yaml:"class" kind:"text" required:"true" example:"checkout"`
	Callers list[string]  `yaml:"callers" kind:"text" required:"true" example:"[\"cert:till-1\", \"scope-of-tills\"]"`
}

type lineBlock struct {
	block
	After       value[string]              `yaml:"after" kind:"word" of:"operator,outage" default:"operator"`
	Outage      value[time.Duration]       `yaml:"outage" kind:"duration" zero:"ok" default:"1m"`
	User        value[continuity.Selector] `yaml:"user" kind:"user" default:"cookie" example:"header:X-User"`
	GroupHeader value[string]              `yaml:"group_header" kind:"header" example:"X-Department"`
	Groups      []lineGroupBlock           `yaml:"groups"`
	Shares      list[float64]              `yaml:"shares" kind:"percent" example:"[10%, 25%, 50%, 100%]"`
	Hold        value[time.Duration]       `yaml:"hold" kind:"duration" default:"1m"`
	Spread      value[time.Duration]       `yaml:"spread" kind:"duration" zero:"ok" default:"30s"`
	Errors      value[float64]             `yaml:"errors" kind:"percent" default:"1%"`
	Slow        value[float64]             `yaml:"slow" kind:"number" default:"2"`
	Exempt      list[string]               `yaml:"exempt" kind:"path" example:"/assets/**"`
	Stays       value[time.Duration]       `yaml:"stays" kind:"duration" default:"1h"`
}

type lineGroupBlock struct {
	block
	Name   value[string] `yaml:"name" kind:"id" required:"true" example:"cashiers"`
	Values list[string]  `yaml:"values" kind:"text" required:"true" example:"[cashier, till]"`
}

func (b *admissionBlock) build() *continuity.Admission {
	if !b.set {
		return nil
	}
	a := &continuity.Admission{
		Rate: b.Rate.V, Burst: int(b.Burst.V), Concurrency: int(b.Concurrency.V), Hold: b.Overflow.V == "hold",
		Capacity: map[string]continuity.CapacityUse{"measured": continuity.CapacityMeasured, "off": continuity.CapacityOff}[b.Capacity.V],
	}
	if b.Adaptive.set {
		d := &b.Adaptive
		a.Adaptive = &continuity.Adaptive{Least: int(d.Least.V), Most: int(d.Most.V), Start: int(d.Start.V), Slow: d.Slow.V}
	}
	if b.Client.set {
		c := &b.Client
		a.Client = continuity.ClientLimits{Rate: c.Rate.V, Burst: int(c.Burst.V), Concurrency: int(c.Concurrency.V), Addresses: int(c.Addresses.V)}
	}
	if b.Classes.set {
		c := &b.Classes
		a.Classes = continuity.AdmissionClasses{Header: c.Header.V, Order: c.Order.values(), Otherwise: c.Otherwise.V}
		if c.By.V == "caller" {
			a.Classes.Members = make([][]string, len(a.Classes.Order))
			for i := range c.Members {
				if at := slices.Index(a.Classes.Order, c.Members[i].Class.V); at >= 0 {
					a.Classes.Members[at] = append(a.Classes.Members[at], c.Members[i].Callers.values()...)
				}
			}
		}
	}
	return a
}

var defaultShares = []float64{0.1, 0.25, 0.5, 1}

func (b *lineBlock) build() *continuity.WaitingLine {
	if !b.set {
		return nil
	}
	l := &continuity.WaitingLine{
		AfterOutage: b.After.V == "outage", Outage: b.Outage.V, User: b.User.V.Source, UserHeader: b.User.V.Name, GroupHeader: b.GroupHeader.V,
		Shares: b.Shares.values(), Hold: b.Hold.V, Spread: b.Spread.V, Errors: b.Errors.V, Slow: b.Slow.V,
		Exempt: b.Exempt.values(), Stays: b.Stays.V,
	}
	if len(l.Shares) == 0 {
		l.Shares = slices.Clone(defaultShares)
	}
	for i := range b.Groups {
		l.Groups = append(l.Groups, continuity.LineGroup{Name: b.Groups[i].Name.V, Values: b.Groups[i].Values.values()})
	}
	return l
}

// checkAdmission reports limits that could not mean what they say.
func checkAdmission(f *findings, r *routeBlock) {
	a := &r.Admission
	for _, b := range []struct {
		burst *value[int64]
		rate  *value[float64]
	}{{&a.Burst, &a.Rate}, {&a.Client.Burst, &a.Client.Rate}} {
		if b.burst.set && !b.rate.set {
			f.error(b.burst.at, "config.burst-rateless")
		}
	}
	if d := &a.Adaptive; d.set && (d.Least.V > d.Start.V || d.Start.V > d.Most.V) && d.Start.V > 0 && d.Most.V > 0 {
		f.error(d.at, "config.adaptive-order", "least", d.Least.text, "start", d.Start.text, "most", d.Most.text)
	}
	if a.Capacity.set && a.Capacity.V == "stated" && !r.Capacity.set {
		f.error(a.Capacity.at, "config.capacity-unstated")
	}
	if a.Overflow.V == "hold" && r.Hold.State.V != "on" {
		f.error(a.Overflow.at, "config.overflow-unheld")
	}
	if c := &a.Classes; c.set {
		if len(c.Order.items) == 1 {
			f.error(c.Order.at, "config.classes-few")
		}
		if c.Otherwise.set && !slices.Contains(c.Order.values(), c.Otherwise.V) {
			f.error(c.Otherwise.at, "config.class-unknown", "value", c.Otherwise.V, "order", c.Order.values())
		}
	}
	checkClassesBy(f, r)
	checkLine(f, &r.Line)
	if u := &r.Line.User; u.V.Source == continuity.SourceCaller && !tellsEarly(&r.Caller) {
		f.error(u.at, "config.admission-caller")
	}
}

// checkClassesBy holds classes to what tells them.
func checkClassesBy(f *findings, r *routeBlock) {
	c := &r.Admission.Classes
	switch {
	case !c.set:
	case c.By.V == "caller" && !tellsEarly(&r.Caller):
		f.error(c.By.at, "config.admission-caller")
	case c.By.V == "caller" && (c.Header.set || len(c.Members) == 0):
		f.error(c.By.at, "config.classes-caller")
	case c.By.V == "header" && (!c.Header.set || len(c.Members) > 0):
		f.error(fallback(c.By.at, c.at), "config.classes-header")
	}
	for i := range c.Members {
		if m := &c.Members[i].Class; m.V != "" && !slices.Contains(c.Order.values(), m.V) {
			f.error(m.at, "config.class-unknown", "value", m.V, "order", c.Order.values())
		}
	}
}

// tellsEarly reports whether callers are verified by what a request bears before
// its body: a signature that covers the body comes too late for admission.
func tellsEarly(c *callerBlock) bool { return c.JWT.set || c.MTLS.set || c.APIKey.set }

func checkLine(f *findings, l *lineBlock) {
	if !l.set {
		return
	}
	if len(l.Groups) > 0 && !l.GroupHeader.set && l.User.V.Source != continuity.SourceCaller {
		f.error(l.Groups[0].at, "config.groups-headerless")
	}
	shares := l.Shares.items
	for i := range shares {
		if i > 0 && shares[i].V <= shares[i-1].V && shares[i].V > 0 {
			f.error(shares[i].at, "config.shares-order", "value", shares[i].text, "before", shares[i-1].text)
			return
		}
	}
	if n := len(shares); n > 0 && !l.Shares.bad && shares[n-1].V != 1 {
		f.error(shares[n-1].at, "config.shares-end", "value", shares[n-1].text)
	}
	if l.Spread.V > l.Hold.V && l.Hold.V > 0 {
		f.error(fallback(l.Spread.at, l.Hold.at), "config.spread-long", "spread", l.Spread.text, "hold", l.Hold.text)
	}
}
