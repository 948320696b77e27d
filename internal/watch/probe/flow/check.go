package flow

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/jsonpointer"
	"holdfast/internal/yamldoc"
)

// checker makes a flow of a document, and finds what its fields say together.
type checker struct {
	*yamldoc.Findings
	document *Document

	known   map[string]bool // variables that a step may use
	ids     map[string]bool
	account bool
	effects bool // something is sent that may leave traces
}

func (c *checker) at(path string) yamldoc.Place {
	for {
		if p, ok := c.document.places[path]; ok {
			return p
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return yamldoc.Place{Line: 1, Column: 1, Length: 1}
		}
		path = path[:cut]
	}
}

func (c *checker) wrong(path, id string, pairs ...any) {
	if at := c.at(path); !c.ReportedOn(at.Line) {
		c.Error(at, id, pairs...)
	}
}

func (c *checker) flow() *Flow {
	d := c.document
	c.known = map[string]bool{varRun: true, varNumber: true, varTime: true, varUser: true, varSecret: true}
	c.ids = map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(d.Vars)) {
		where := "vars." + name
		c.uses(where, d.Vars[name], false)
		for _, used := range first(template(d.Vars[name]).names()) {
			if used != varRun && used != varNumber && used != varTime && used != varUser {
				c.wrong(where, "flow.var-of-var", "name", used)
			}
		}
	}
	for name := range d.Vars {
		c.known[name] = true
	}
	c.most("timeout", d.Timeout, maxTime)
	c.most("cleanup_timeout", d.After, maxCleanup)
	if n := len(d.Steps) + len(d.Cleanup); n > maxSteps {
		c.wrong("steps", "flow.many", "count", n, "most", maxSteps)
	}
	f := &Flow{ID: d.ID, Name: d.Name, Base: d.Base, Direct: d.Direct, Timeout: d.Timeout, After: d.After, Cleans: len(d.Cleanup) > 0, document: d}
	for name, value := range d.Headers {
		c.uses("headers."+name, value, true)
	}
	for i := range d.Steps {
		f.steps = append(f.steps, c.step(&d.Steps[i], fmt.Sprintf("steps[%d]", i), false))
	}
	for i := range d.Cleanup {
		f.cleanup = append(f.cleanup, c.step(&d.Cleanup[i], fmt.Sprintf("cleanup[%d]", i), true))
	}
	if c.effects && !c.account && !f.Cleans {
		c.wrong("steps", "flow.untidy")
	}
	f.Account = c.account
	return f
}

func first[A, B any](a A, _ B) A { return a }

func (c *checker) most(path string, d, most time.Duration) {
	if d > most {
		c.wrong(path, "flow.long", "field", path, "most", most.String())
	}
}

// uses holds the variables of a text to those that are known here. A secret may
// stand where it is not logged on the way.
func (c *checker) uses(path, text string, secret bool) {
	names, whole := template(text).names()
	if !whole {
		c.wrong(path, "flow.braces")
	}
	for _, name := range names {
		switch {
		case name == varSecret && !secret:
			c.wrong(path, "flow.secret-here")
		case !c.known[name]:
			known := slices.Sorted(maps.Keys(c.known))
			if near, ok := yamldoc.Nearest(name, known); ok {
				c.wrong(path, "flow.unknown-near", "name", name, "near", near)
			} else {
				c.wrong(path, "flow.unknown", "name", name, "words", known)
			}
		}
		c.account = c.account || name == varUser || name == varSecret
	}
}

// step checks one and makes it ready.
func (c *checker) step(s *Step, where string, after bool) *step {
	out := &step{Step: s, after: after, headers: map[string]template{}}
	if s.ID != "" && c.ids[s.ID] {
		c.wrong(where+".id", "flow.twice", "id", s.ID)
	}
	c.ids[s.ID] = true
	c.effects = c.effects || !after && s.Method != http.MethodGet && s.Method != http.MethodHead
	if s.URL != "" && (!strings.HasPrefix(s.URL, "/") || strings.HasPrefix(s.URL, "//") || strings.Contains(s.URL, "#") || strings.ContainsAny(s.URL, " \n")) {
		c.wrong(where+".url", "flow.url", "value", yamldoc.Brief(s.URL))
	}
	c.uses(where+".url", s.URL, false)
	for name, value := range c.document.Headers {
		out.headers[http.CanonicalHeaderKey(name)] = template(value)
	}
	for name, value := range s.Headers {
		c.uses(where+".headers."+name, value, true)
		if strings.ContainsAny(value, "\r\n") {
			c.wrong(where+".headers."+name, "config.header-value", "value", name)
		}
		out.headers[http.CanonicalHeaderKey(name)] = template(value)
	}
	c.most(where+".timeout", s.Timeout, maxTime)
	c.body(out, where)
	c.expect(out, where+".expect", after)
	c.again(out, where)
	if s.Partial && after {
		c.wrong(where+".partial", "flow.partial-after")
	}
	c.saves(out, where+".save")
	return out
}

func (c *checker) again(s *step, where string) {
	if u := s.Until; u != nil {
		if u.Every < leastPause {
			c.wrong(where+".until.every", "flow.often", "least", leastPause.String())
		}
		c.most(where+".until.for", u.For, c.document.Timeout)
		if s.Retry != nil {
			c.wrong(where+".retry", "flow.until-retry")
		}
	}
	if r := s.Retry; r != nil {
		_, keyed := s.headers["Idempotency-Key"]
		if (s.Method == http.MethodPost || s.Method == http.MethodPatch) && !keyed {
			if at := c.at(where + ".retry"); !c.ReportedOn(at.Line) {
				c.Warning(at, "flow.retry-twice", "method", s.Method)
			}
		}
	}
}

func (c *checker) body(s *step, where string) {
	b := s.Body
	if b == nil {
		return
	}
	where += ".body"
	given := 0
	for _, there := range []bool{b.JSON.Node != nil, b.Text != "", b.Form != nil || b.File != nil} {
		if there {
			given++
		}
	}
	if given != 1 {
		c.wrong(where, "flow.body-one", "field", where)
	}
	if s.Method == http.MethodGet || s.Method == http.MethodHead {
		c.wrong(where, "flow.body-get", "method", s.Method)
	}
	if b.Type != "" && b.Text == "" {
		c.wrong(where+".type", "flow.type")
	}
	c.uses(where+".text", b.Text, true)
	size := len(b.Text)
	for name, value := range b.Form {
		c.uses(where+".form."+name, value, true)
		size += len(name) + len(value)
	}
	if b.JSON.Node != nil {
		s.json = c.json(b.JSON.Node, &size)
	}
	if size > maxBody {
		c.wrong(where, "flow.body-size", "most", maxBody)
	}
	if f := b.File; f != nil {
		c.uses(where+".file.name", f.Name, false)
		c.uses(where+".file.field", f.Field, false)
		if f.Size > maxFile {
			c.wrong(where+".file.size", "flow.file-size", "most", maxFile)
		}
		c.known[s.ID+".sha256"], c.known[s.ID+".size"] = true, true
	}
}

// json makes values of a body's part: what is quoted is a text, what is not may
// be a number, true, false or null.
func (c *checker) json(n *yamldoc.Node, size *int) any {
	switch n.Kind {
	case yamldoc.EmptyNode:
		return nil
	case yamldoc.MappingNode:
		out := map[string]any{}
		for _, p := range n.Pairs {
			if _, twice := out[p.Key.Text]; twice {
				c.Error(p.Key.At, "flow.json-twice", "name", yamldoc.Brief(p.Key.Text))
			}
			*size += len(p.Key.Text)
			out[p.Key.Text] = c.json(p.Value, size)
		}
		return out
	case yamldoc.SequenceNode:
		out := []any{}
		for _, item := range n.Items {
			out = append(out, c.json(item, size))
		}
		return out
	}
	*size += len(n.Text)
	if !n.Quoted {
		switch n.Text {
		case "true":
			return true
		case "false":
			return false
		}
		if jsonNumber.MatchString(n.Text) {
			return number(n.Text)
		}
	}
	names, whole := template(n.Text).names()
	if !whole && !c.ReportedOn(n.At.Line) {
		c.Error(n.At, "flow.braces")
	}
	for _, name := range names {
		if !c.known[name] && !c.ReportedOn(n.At.Line) {
			c.Error(n.At, "flow.unknown", "name", name, "words", slices.Sorted(maps.Keys(c.known)))
		}
		c.account = c.account || name == varUser || name == varSecret
	}
	return template(n.Text)
}

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

func (c *checker) expect(s *step, where string, after bool) {
	e := &s.Expect
	status := e.Status
	if _, set := c.document.places[where+".status"]; after && !set {
		status = []string{"2xx", "404", "410"} // what was never made is gone as well
	}
	for _, text := range status {
		low, err := strconv.Atoi(strings.ReplaceAll(text, "x", "0"))
		high, bad := strconv.Atoi(strings.ReplaceAll(text, "x", "9"))
		if err == nil && bad == nil {
			s.status = append(s.status, [2]int{low, high})
		}
	}
	for path, text := range map[string]string{".body": e.Body, ".not": e.Not} {
		c.uses(where+path, text, false)
		c.compiles(where+path, text)
	}
	for name, text := range e.Header {
		c.uses(where+".header."+name, text, false)
		c.compiles(where+".header."+name, text)
	}
	c.uses(where+".sha256", e.SHA256, false)
	for i, j := range e.JSON {
		at := fmt.Sprintf("%s.json[%d]", where, i)
		pointer, err := jsonpointer.Parse(j.At)
		if err != nil {
			continue // reported as it was read
		}
		s.pointers = append(s.pointers, pointer)
		c.uses(at+".is", j.Is, false)
		c.uses(at+".matches", j.Matches, false)
		c.compiles(at+".matches", j.Matches)
	}
	if s.Method == http.MethodHead && (e.Body != "" || e.Not != "" || e.SHA256 != "" || len(e.JSON) > 0) {
		c.wrong(where, "flow.head")
	}
}

// compiles holds a pattern to the language of patterns; variables are taken
// literally when it is used.
func (c *checker) compiles(path, text string) {
	if _, err := regexp.Compile(hole.ReplaceAllString(text, "x")); err != nil {
		c.wrong(path, "flow.pattern")
	}
}

func (c *checker) saves(s *step, where string) {
	for _, name := range slices.Sorted(maps.Keys(s.Save)) {
		save := s.Save[name]
		if save == nil {
			continue
		}
		given := 0
		for _, text := range []string{save.JSON, save.Header, save.Cookie, save.Pattern} {
			if text != "" {
				given++
			}
		}
		if given != 1 {
			c.wrong(where+"."+name, "flow.save-one", "name", name)
		}
		if save.Pattern != "" {
			s.saves = append(s.saves, saved{name, regexp.MustCompile(save.Pattern), nil, save})
			continue
		}
		pointer, _ := jsonpointer.Parse(save.JSON)
		s.saves = append(s.saves, saved{name, nil, pointer, save})
	}
	for name := range s.Save {
		if c.document.Vars[name] != "" {
			c.wrong(where+"."+name, "flow.save-var", "name", name)
		}
		c.known[name] = true
	}
}
