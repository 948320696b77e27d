package sensitive

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"holdfast/internal/continuity"
	"holdfast/internal/jsonpointer"
)

// The kinds of what is found.
const (
	KindCard  = "card-number"
	KindCode  = "verification-code"
	KindField = "field" // the route never stores it
	KindName  = "name"  // only its name speaks for it; for the report
	// KindUnread says that a body can't be searched.
	KindUnread = "unread"
)

// Finding says where something stands and of which kind it is: a JSON pointer,
// the name of a header field or query parameter, or "body". It never bears a
// value.
type Finding struct{ Where, Kind string }

// Request is what is searched.
type Request struct {
	Target string // path and query
	Header []continuity.Field
	Body   []byte
}

// Finder finds what a route never stores.
type Finder struct {
	continuity.Sensitive
	fields  []pattern
	numbers []pattern
	path    int // the part of the path that is the route's key; 0: none
	header  string
}

// pattern is a pointer cut into its names.
type pattern []string

// New makes the Finder of a route.
func New(route *continuity.Route) *Finder {
	f := &Finder{Sensitive: route.Sensitive}
	f.fields = patterns(f.Fields)
	numbers := slices.Concat(f.Numbers, route.Identity.Fields)
	switch route.Key.Source {
	case continuity.SourceJSON:
		numbers = append(numbers, route.Key.Name)
	case continuity.SourcePath:
		f.path = route.Key.Index
	case continuity.SourceHeader:
		f.header = route.Key.Name
	}
	f.numbers = patterns(numbers)
	return f
}

// patterns cuts those texts that are pointers; fields of forms and of XML are
// not searched by place.
func patterns(pointers []string) (all []pattern) {
	for _, text := range pointers {
		if names, err := jsonpointer.Parse(text); err == nil {
			all = append(all, names)
		}
	}
	return all
}

// covers reports whether a path lies at or below the pattern.
func (p pattern) covers(path []step) bool {
	if len(path) < len(p) {
		return false
	}
	for i, name := range p {
		if name != "*" && name != path[i].name() {
			return false
		}
	}
	return true
}

func covered(patterns []pattern, path []step) bool {
	return slices.ContainsFunc(patterns, func(p pattern) bool { return p.covers(path) })
}

// Find returns the first thing in a request that speaks against storing it as
// it is. Fields that are dropped don't.
func (f *Finder) Find(req Request) (Finding, bool) {
	if !f.Drop {
		if found, ok := f.declared(req); ok {
			return found, true
		}
	}
	if f.Allow && len(f.fields) == 0 {
		return Finding{}, false
	}
	if !f.Allow {
		if found, ok := f.target(req.Target); ok {
			return found, true
		}
		for _, h := range req.Header {
			if len(h.Value) >= leastDigits && !identifies(h.Name) && !strings.EqualFold(h.Name, f.header) && !f.isHeader(h.Name) && hasCard(h.Value) {
				return Finding{h.Name, KindCard}, true
			}
		}
	}
	if len(req.Body) == 0 {
		return Finding{}, false
	}
	if coded(req.Header) {
		return Finding{"Content-Encoding", KindUnread}, true
	}
	var found Finding
	f.body(req, func(x Finding) bool {
		found = x
		return false
	})
	return found, found.Kind != ""
}

// identifying are fields whose numbers were made up to tell requests apart: one
// in some thousands of them looks like a card's by chance.
var identifying = []string{"Idempotency-Key", "Traceparent", "Tracestate", "X-Request-Id", "X-Correlation-Id"}

func identifies(name string) bool {
	return slices.ContainsFunc(identifying, func(i string) bool { return strings.EqualFold(i, name) })
}

func (f *Finder) isHeader(name string) bool {
	return slices.ContainsFunc(f.Headers, func(h string) bool { return strings.EqualFold(h, name) })
}

// declared finds header fields and query parameters that the route names.
func (f *Finder) declared(req Request) (Finding, bool) {
	if len(f.Headers) > 0 {
		for _, h := range req.Header {
			if f.isHeader(h.Name) {
				return Finding{h.Name, KindField}, true
			}
		}
	}
	if len(f.Query) > 0 {
		for name := range parameters(req.Target) {
			if slices.Contains(f.Query, name) {
				return Finding{name, KindField}, true
			}
		}
	}
	return Finding{}, false
}

// target searches path and query.
func (f *Finder) target(target string) (Finding, bool) {
	path, _, _ := strings.Cut(target, "?")
	n := 0
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if n++; n != f.path && len(part) >= leastDigits && hasCard(unescape(part)) {
			return Finding{"path:" + strconv.Itoa(n), KindCard}, true
		}
	}
	if len(path) == len(target) {
		return Finding{}, false
	}
	for name, value := range parameters(target) {
		if slices.Contains(f.Query, name) {
			continue // refused or dropped as such
		}
		if hasCard(value) {
			return Finding{Mask(name), KindCard}, true
		}
		if named(codeNames, name) && isCode(value) {
			return Finding{name, KindCode}, true
		}
	}
	return Finding{}, false
}

// parameters goes through the query of a target.
func parameters(target string) func(func(name, value string) bool) {
	_, query, _ := strings.Cut(target, "?")
	return pairs(query)
}

func pairs(form string) func(func(name, value string) bool) {
	return func(yield func(string, string) bool) {
		for len(form) > 0 {
			var pair string
			pair, form, _ = strings.Cut(form, "&")
			name, value, _ := strings.Cut(pair, "=")
			if pair != "" && !yield(unescape(name), unescape(value)) {
				return
			}
		}
	}
}

// unescape reads a text as a form writes it; what is not escaped rightly stays.
func unescape(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

func coded(header []continuity.Field) bool {
	for _, h := range header {
		if strings.EqualFold(h.Name, "Content-Encoding") && h.Value != "" && !strings.EqualFold(strings.TrimSpace(h.Value), "identity") {
			return true
		}
	}
	return false
}

func isForm(header []continuity.Field) bool {
	for _, h := range header {
		if strings.EqualFold(h.Name, "Content-Type") {
			media, _, _ := strings.Cut(h.Value, ";")
			return strings.EqualFold(strings.TrimSpace(media), "application/x-www-form-urlencoded")
		}
	}
	return false
}

// body searches a body: JSON by its structure, forms by their fields, anything
// else as text. What is JSON is so whatever its Content-Type says, as for the
// ordering key: some clients call all that they send a form.
func (f *Finder) body(req Request, found func(Finding) bool) {
	form := isForm(req.Header)
	switch {
	case !form && len(f.fields) == 0 && !suspect(req.Body):
	case looksJSON(req.Body) && f.json(req.Body, found):
	case form:
		f.form(string(req.Body), found)
	case !f.Allow && hasCard(string(req.Body)):
		found(Finding{"body", KindCard})
	}
}

func (f *Finder) form(body string, found func(Finding) bool) {
	for name, value := range pairs(body) {
		path := []step{{text: name}}
		switch {
		case covered(f.fields, path):
			if !f.Drop && !found(Finding{name, KindField}) {
				return
			}
		case f.Allow || covered(f.numbers, path):
		case hasCard(value) || hasCard(name):
			if !found(Finding{Mask(name), KindCard}) {
				return
			}
		case named(codeNames, name) && isCode(value):
			if !found(Finding{name, KindCode}) {
				return
			}
		}
	}
}
