package config

import (
	"reflect"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/yamldoc"
)

type amountBlock struct {
	block
	Pointer  value[string]              `yaml:"pointer" kind:"body" required:"true" example:"json:/total"`
	Currency value[continuity.Currency] `yaml:"currency" kind:"currency" required:"true" example:"CNY"`
	Item     value[int64]               `yaml:"item" kind:"money" example:"5000"`
	Total    value[int64]               `yaml:"total" kind:"money" example:"200000"`
	Caps     []capBlock                 `yaml:"caps"`
}

type capBlock struct {
	block
	Currency value[string] `yaml:"currency" kind:"code" required:"true" example:"USD"`
	Item     value[int64]  `yaml:"item" kind:"money" required:"true" example:"700"`
	Total    value[int64]  `yaml:"total" kind:"money" required:"true" example:"30000"`
}

type signedOffBlock struct {
	block
	Person value[string] `yaml:"person" kind:"text" required:"true" example:"Zhang Min"`
	Date   value[string] `yaml:"date" kind:"date" required:"true" example:"2026-03-01"`
	Why    value[string] `yaml:"why" kind:"text" required:"true" example:"loss covered up to the total"`
}

type priorityBlock struct {
	block
	By      value[string] `yaml:"by" kind:"word" of:"caller,header" required:"true" example:"caller"`
	Header  value[string] `yaml:"header" kind:"header" example:"X-Customer-Class"`
	Classes []classBlock  `yaml:"classes" required:"true"`
}

type classBlock struct {
	block
	Members list[string] `yaml:"members" kind:"text" required:"true" example:"[hospital, pharmacy]"`
}

type approvalsBlock struct {
	block
	Above []aboveBlock `yaml:"above"`
	Count value[int64] `yaml:"count" kind:"int" min:"1" example:"100"`
}

type aboveBlock struct {
	block
	Currency value[string] `yaml:"currency" kind:"code" required:"true" example:"CNY"`
	Amount   value[int64]  `yaml:"amount" kind:"money" required:"true" example:"10000"`
}

// leastRetention is about how exactly the journal knows when something ended.
const leastRetention = 10 * time.Minute

const moneyForm = `^(0|[1-9][0-9]*)(\.[0-9]{1,4})?$`

func moneySchema(reflect.StructTag) map[string]any {
	return map[string]any{"type": []string{"number", "string"}, "minimum": 0, "pattern": moneyForm}
}

func parseMoney(text string, _ reflect.StructTag) (any, *fault) {
	units, ok := continuity.ParseUnits(text)
	if !ok {
		return nil, yamldoc.Wrong("config.money")
	}
	return units, nil
}

func parseDate(text string, _ reflect.StructTag) (any, *fault) {
	if _, err := time.Parse(time.DateOnly, text); err != nil {
		return nil, yamldoc.Wrong("config.date")
	}
	return text, nil
}

func (a *amountBlock) build() *continuity.Amount {
	if !a.Set {
		return nil
	}
	out := &continuity.Amount{Pointer: a.Pointer.V, Currency: a.Currency.V.Code, In: a.Currency.V.Pointer}
	if out.Currency != "" {
		out.Caps = []continuity.Cap{{Currency: out.Currency, Item: a.Item.V, Total: a.Total.V}}
	}
	for i := range a.Caps {
		c := &a.Caps[i]
		out.Caps = append(out.Caps, continuity.Cap{Currency: c.Currency.V, Item: c.Item.V, Total: c.Total.V})
	}
	return out
}

func (s *signedOffBlock) build() *continuity.SignOff {
	if !s.Set {
		return nil
	}
	return &continuity.SignOff{Person: s.Person.V, Date: s.Date.V, Why: s.Why.V}
}

func (p *priorityBlock) build() *continuity.Priority {
	if !p.Set {
		return nil
	}
	out := &continuity.Priority{Header: p.Header.V}
	for i := range p.Classes {
		out.Classes = append(out.Classes, p.Classes[i].Members.Values())
	}
	return out
}

func (a *approvalsBlock) build() *continuity.Approvals {
	if !a.Set {
		return nil
	}
	out := &continuity.Approvals{Count: a.Count.V}
	for i := range a.Above {
		out.Above = append(out.Above, continuity.Cap{Currency: a.Above[i].Currency.V, Item: a.Above[i].Amount.V})
	}
	return out
}

// checkBooks holds amounts, priority and recording to what they need.
func checkBooks(f *findings, r *routeBlock) {
	checkAmount(f, &r.Hold)
	p := &r.Priority
	if p.Set {
		if most := continuity.Classes - 1; len(p.Classes) > most {
			f.Error(p.Classes[most].At, "config.classes", "max", most)
		}
		if p.By.V == "header" && !p.Header.Set {
			f.Error(p.By.At, "config.priority-header")
		}
		if p.By.V == "caller" && (r.Caller.public || p.Header.Set) {
			f.Error(p.By.At, "config.priority-caller")
		}
		members := map[string]bool{}
		for i := range p.Classes {
			for _, m := range p.Classes[i].Members.Items {
				if members[m.V] {
					f.Error(m.At, "config.class-twice", "value", m.V)
				}
				members[m.V] = true
			}
		}
	}
	if r.Retention.Set && r.Retention.V > 0 && r.Retention.V < leastRetention {
		f.Error(r.Retention.At, "config.retention-short", "retention", r.Retention.Text, "least", "10m")
	}
	if r.Retention.Set && r.Keep.V > r.Retention.V && r.Retention.V > 0 {
		f.Error(r.Keep.At, "config.keep-long", "keep", r.Keep.Text, "retention", r.Retention.Text)
	}
	if r.Record.V == "all" && r.Keep.V == 0 {
		f.Error(r.Record.At, "config.record-keep")
	}
}

func checkAmount(f *findings, h *holdBlock) {
	a := &h.Amount
	if !a.Set {
		return
	}
	if h.State.V == "on" && !h.SignedOff.Set {
		f.Error(a.At, "config.signed-off", "example", "signed_off: {person: Zhang Min, date: 2026-03-01, why: ...}")
	}
	fixed := a.Currency.V.Code != ""
	switch {
	case fixed && (!a.Item.Set || !a.Total.Set || len(a.Caps) > 0):
		f.Error(a.At, "config.amount-caps", "example", "item: 5000, total: 200000")
	case a.Currency.V.Pointer != "" && (a.Item.Set || a.Total.Set || len(a.Caps) == 0):
		f.Error(a.At, "config.amount-caps", "example", "caps: [{currency: CNY, item: 5000, total: 200000}]")
	}
	above := func(item, total *value[int64]) {
		if item.V > total.V && total.Set {
			f.Error(item.At, "config.amount-above", "item", item.Text, "total", total.Text)
		}
	}
	above(&a.Item, &a.Total)
	seen := map[string]bool{}
	for i := range a.Caps {
		c := &a.Caps[i]
		above(&c.Item, &c.Total)
		if seen[c.Currency.V] {
			f.Error(c.Currency.At, "config.class-twice", "value", c.Currency.V)
		}
		seen[c.Currency.V] = true
	}
}
