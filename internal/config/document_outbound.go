package config

import (
	"regexp"
	"slices"

	"holdfast/internal/continuity"
)

// outcomeBodyBlock says what stands for what in the body of an answer.
type outcomeBodyBlock struct {
	block
	Pointer     value[string]                `yaml:"pointer" kind:"pointer" required:"true" example:"/errcode"`
	Status      list[continuity.StatusRange] `yaml:"status" kind:"status" default:"2xx"`
	Delivered   list[string]                 `yaml:"delivered" kind:"text" example:"[0]"`
	Retry       list[string]                 `yaml:"retry" kind:"text" example:"[-1, 45009]"`
	Refused     list[string]                 `yaml:"refused" kind:"text" example:"[40003]"`
	Clean       list[string]                 `yaml:"clean" kind:"text" example:"[50002]"`
	Lost        list[string]                 `yaml:"lost" kind:"text" example:"[50001]"`
	Credentials list[string]                 `yaml:"credentials" kind:"text" example:"[40001]"`
	Other       value[string]                `yaml:"other" kind:"word" of:"status,delivered,retry,refused,lost" required:"true" example:"refused"`
	Limit       value[int64]                 `yaml:"limit" kind:"size" default:"64KiB"`
}

type namedValues struct {
	name string
	list *list[string]
	is   continuity.Verdict
}

func (b *outcomeBodyBlock) lists() []namedValues {
	return []namedValues{
		{"delivered", &b.Delivered, continuity.VerdictDelivered}, {"retry", &b.Retry, continuity.VerdictRetry},
		{"refused", &b.Refused, continuity.VerdictRefused}, {"clean", &b.Clean, continuity.VerdictClean},
		{"lost", &b.Lost, continuity.VerdictLost}, {"credentials", &b.Credentials, continuity.VerdictCredentials},
	}
}

var otherVerdicts = map[string]continuity.Verdict{
	"delivered": continuity.VerdictDelivered, "retry": continuity.VerdictRetry,
	"refused": continuity.VerdictRefused, "lost": continuity.VerdictLost,
}

func (b *outcomeBodyBlock) build() *continuity.BodyVerdicts {
	if !b.Set {
		return nil
	}
	out := &continuity.BodyVerdicts{
		Pointer: b.Pointer.V, Statuses: b.Status.Values(), Other: otherVerdicts[b.Other.V], Limit: b.Limit.V,
		Values: make(map[string]continuity.Verdict),
	}
	for _, l := range b.lists() {
		for _, text := range l.list.Values() {
			out.Values[text] = l.is
		}
	}
	return out
}

// mostBody bounds what is read of an answer before any of it leaves.
const mostBody = 1 << 20

func checkOutcomeBody(f *findings, b *outcomeBodyBlock) {
	if !b.Set {
		return
	}
	claimed := map[string]string{}
	listed := false
	for _, l := range b.lists() {
		for _, item := range l.list.Items {
			listed = true
			if other, twice := claimed[item.V]; twice && other != l.name {
				f.Error(item.At, "config.outcome-twice", "value", item.Text,
					"field", "outcome.body."+l.name, "other", "outcome.body."+other)
			}
			claimed[item.V] = l.name
		}
	}
	if !listed && b.Pointer.Set && b.Other.Set {
		f.Error(b.At, "config.outcome-empty")
	}
	if b.Limit.V > mostBody {
		f.Error(b.Limit.At, "config.outcome-limit", "value", b.Limit.Text, "most", "1MiB")
	}
}

// checkLoose wants fields where only fields are compared.
func checkLoose(f *findings, r *routeBlock) {
	if id := &r.Idempotency; id.Compare.Set && id.Compare.V == "fields" && !id.Fields.Set {
		f.Error(id.Compare.At, "config.compare-fields")
	}
}

// lookupBlock says how to ask what became of a request in doubt.
type lookupBlock struct {
	block
	Path     value[string]  `yaml:"path" kind:"target" required:"true" example:"/trades/{key}"`
	Method   value[string]  `yaml:"method" kind:"word" of:"GET,POST" default:"GET"`
	Body     value[string]  `yaml:"body" kind:"text" example:"'{\"out_trade_no\": \"{key}\"}'"`
	Found    conditionBlock `yaml:"found" required:"true"`
	NotFound conditionBlock `yaml:"not_found" required:"true"`
}

type conditionBlock struct {
	block
	Status  list[continuity.StatusRange] `yaml:"status" kind:"status" default:"2xx"`
	Pointer value[string]                `yaml:"pointer" kind:"pointer" example:"/trade_state"`
	In      list[string]                 `yaml:"in" kind:"text" example:"[SUCCESS]"`
}

func (b *conditionBlock) build() continuity.Condition {
	return continuity.Condition{Statuses: b.Status.Values(), Pointer: b.Pointer.V, In: b.In.Values()}
}

func (b *lookupBlock) build() *continuity.Lookup {
	if !b.Set {
		return nil
	}
	return &continuity.Lookup{
		Method: b.Method.V, Target: b.Path.V, Body: b.Body.V, Found: b.Found.build(), NotFound: b.NotFound.build(),
	}
}

var placeholder = regexp.MustCompile(`\{[a-z_]*\}`)

func checkLookup(f *findings, r *routeBlock) {
	b := &r.Idempotency.Lookup
	if !b.Set {
		return
	}
	named := false
	for _, v := range []*value[string]{&b.Path, &b.Body} {
		for _, name := range placeholder.FindAllString(v.V, -1) {
			switch name {
			case "{key}", "{idempotency_key}":
				named = true
			default:
				f.Error(v.At, "config.lookup-name", "value", name)
			}
			if name == "{key}" && r.Key.V.Source == continuity.SourceNone {
				f.Error(v.At, "config.lookup-keyless")
			}
		}
	}
	if !named && b.Path.Set && !f.ReportedOn(b.Path.At.Line) {
		f.Error(b.Path.At, "config.lookup-blind")
	}
	if b.Body.Set && b.Method.V == "GET" {
		f.Error(b.Body.At, "config.lookup-body")
	}
	for _, c := range []*conditionBlock{&b.Found, &b.NotFound} {
		if c.In.Set && !c.Pointer.Set {
			f.Error(c.In.At, "config.lookup-in")
		}
	}
	found, not := b.Found.build(), b.NotFound.build()
	if b.Found.Set && b.NotFound.Set && found.Pointer == not.Pointer && overlap(found.Statuses, not.Statuses) && (found.Pointer == "" || common(found.In, not.In)) {
		f.Error(b.NotFound.At, "config.lookup-same")
	}
}

// overlap reports whether a status is in both.
func overlap(a, b []continuity.StatusRange) bool {
	return slices.ContainsFunc(a, func(x continuity.StatusRange) bool {
		return slices.ContainsFunc(b, func(y continuity.StatusRange) bool { return x.Low <= y.High && y.Low <= x.High })
	})
}

// common reports whether a value can be in both lists, of which an empty one
// holds every value.
func common(a, b []string) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}
