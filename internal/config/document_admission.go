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
	if !b.Set {
		return nil
	}
	a := &continuity.Admission{
		Rate: b.Rate.V, Burst: int(b.Burst.V), Concurrency: int(b.Concurrency.V), Hold: b.Overflow.V == "hold",
		Capacity: map[string]continuity.CapacityUse{"measured": continuity.CapacityMeasured, "off": continuity.CapacityOff}[b.Capacity.V],
	}
	if b.Adaptive.Set {
		d := &b.Adaptive
		a.Adaptive = &continuity.Adaptive{Least: int(d.Least.V), Most: int(d.Most.V), Start: int(d.Start.V), Slow: d.Slow.V}
	}
	if b.Client.Set {
		c := &b.Client
		a.Client = continuity.ClientLimits{Rate: c.Rate.V, Burst: int(c.Burst.V), Concurrency: int(c.Concurrency.V), Addresses: int(c.Addresses.V)}
	}
	if b.Classes.Set {
		c := &b.Classes
		a.Classes = continuity.AdmissionClasses{Header: c.Header.V, Order: c.Order.Values(), Otherwise: c.Otherwise.V}
		if c.By.V == "caller" {
			a.Classes.Members = make([][]string, len(a.Classes.Order))
			for i := range c.Members {
				if at := slices.Index(a.Classes.Order, c.Members[i].Class.V); at >= 0 {
					a.Classes.Members[at] = append(a.Classes.Members[at], c.Members[i].Callers.Values()...)
				}
			}
		}
	}
	return a
}

var defaultShares = []float64{0.1, 0.25, 0.5, 1}

func (b *lineBlock) build() *continuity.WaitingLine {
	if !b.Set {
		return nil
	}
	l := &continuity.WaitingLine{
		AfterOutage: b.After.V == "outage", Outage: b.Outage.V, User: b.User.V.Source, UserHeader: b.User.V.Name, GroupHeader: b.GroupHeader.V,
		Shares: b.Shares.Values(), Hold: b.Hold.V, Spread: b.Spread.V, Errors: b.Errors.V, Slow: b.Slow.V,
		Exempt: b.Exempt.Values(), Stays: b.Stays.V,
	}
	if len(l.Shares) == 0 {
		l.Shares = slices.Clone(defaultShares)
	}
	for i := range b.Groups {
		l.Groups = append(l.Groups, continuity.LineGroup{Name: b.Groups[i].Name.V, Values: b.Groups[i].Values.Values()})
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
		if b.burst.Set && !b.rate.Set {
			f.Error(b.burst.At, "config.burst-rateless")
		}
	}
	if d := &a.Adaptive; d.Set && (d.Least.V > d.Start.V || d.Start.V > d.Most.V) && d.Start.V > 0 && d.Most.V > 0 {
		f.Error(d.At, "config.adaptive-order", "least", d.Least.Text, "start", d.Start.Text, "most", d.Most.Text)
	}
	if a.Capacity.Set && a.Capacity.V == "stated" && !r.Capacity.Set {
		f.Error(a.Capacity.At, "config.capacity-unstated")
	}
	if a.Overflow.V == "hold" && r.Hold.State.V != "on" {
		f.Error(a.Overflow.At, "config.overflow-unheld")
	}
	if c := &a.Classes; c.Set {
		if len(c.Order.Items) == 1 {
			f.Error(c.Order.At, "config.classes-few")
		}
		if c.Otherwise.Set && !slices.Contains(c.Order.Values(), c.Otherwise.V) {
			f.Error(c.Otherwise.At, "config.class-unknown", "value", c.Otherwise.V, "order", c.Order.Values())
		}
	}
	checkClassesBy(f, r)
	checkLine(f, &r.Line)
	if u := &r.Line.User; u.V.Source == continuity.SourceCaller && !tellsEarly(&r.Caller) {
		f.Error(u.At, "config.admission-caller")
	}
}

// checkClassesBy holds classes to what tells them.
func checkClassesBy(f *findings, r *routeBlock) {
	c := &r.Admission.Classes
	switch {
	case !c.Set:
	case c.By.V == "caller" && !tellsEarly(&r.Caller):
		f.Error(c.By.At, "config.admission-caller")
	case c.By.V == "caller" && (c.Header.Set || len(c.Members) == 0):
		f.Error(c.By.At, "config.classes-caller")
	case c.By.V == "header" && (!c.Header.Set || len(c.Members) > 0):
		f.Error(fallback(c.By.At, c.At), "config.classes-header")
	}
	for i := range c.Members {
		if m := &c.Members[i].Class; m.V != "" && !slices.Contains(c.Order.Values(), m.V) {
			f.Error(m.At, "config.class-unknown", "value", m.V, "order", c.Order.Values())
		}
	}
}

// tellsEarly reports whether callers are verified by what a request bears before
// its body: a signature that covers the body comes too late for admission.
func tellsEarly(c *callerBlock) bool { return c.JWT.Set || c.MTLS.Set || c.APIKey.Set }

func checkLine(f *findings, l *lineBlock) {
	if !l.Set {
		return
	}
	if len(l.Groups) > 0 && !l.GroupHeader.Set && l.User.V.Source != continuity.SourceCaller {
		f.Error(l.Groups[0].At, "config.groups-headerless")
	}
	shares := l.Shares.Items
	for i := range shares {
		if i > 0 && shares[i].V <= shares[i-1].V && shares[i].V > 0 {
			f.Error(shares[i].At, "config.shares-order", "value", shares[i].Text, "before", shares[i-1].Text)
			return
		}
	}
	if n := len(shares); n > 0 && !l.Shares.Bad && shares[n-1].V != 1 {
		f.Error(shares[n-1].At, "config.shares-end", "value", shares[n-1].Text)
	}
	if l.Spread.V > l.Hold.V && l.Hold.V > 0 {
		f.Error(fallback(l.Spread.At, l.Hold.At), "config.spread-long", "spread", l.Spread.Text, "hold", l.Hold.Text)
	}
}
