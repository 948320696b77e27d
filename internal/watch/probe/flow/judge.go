package flow

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"holdfast/internal/watch/probe"
	web "holdfast/internal/watch/probe/http"
)

// answer is what came back.
type answer struct {
	*http.Response
	body []byte
	json any
	read bool // json was tried
}

func (a *answer) decoded() (any, bool) {
	if !a.read {
		a.read = true
		d := json.NewDecoder(bytes.NewReader(a.body))
		d.UseNumber()
		if d.Decode(&a.json) != nil {
			a.json = nil
			return nil, false
		}
		if _, err := d.Token(); err != io.EOF {
			a.json = nil
			return nil, false
		}
	}
	return a.json, a.json != nil
}

// judge holds an answer to what is expected, and keeps what is to be saved.
func (s *step) judge(a *answer, v variables) probe.Outcome {
	e := &s.Expect
	if !slices.ContainsFunc(s.status, func(r [2]int) bool { return r[0] <= a.StatusCode && a.StatusCode <= r[1] }) {
		return probe.Down("watch.status", "status", a.StatusCode)
	}
	for name, pattern := range e.Header {
		p, ok := compile(pattern, v)
		if !ok || !slices.ContainsFunc(a.Header.Values(name), p.MatchString) {
			return probe.Down("watch.header", "header", name)
		}
	}
	if p, ok := compile(e.Body, v); e.Body != "" && (!ok || !p.Match(a.body)) {
		return probe.Down("watch.body-lacks", "pattern", e.Body)
	}
	if p, ok := compile(e.Not, v); e.Not != "" && (!ok || p.Match(a.body)) {
		return probe.Down("watch.body-has", "pattern", e.Not)
	}
	if e.SHA256 != "" {
		want, _ := v.fill(template(e.SHA256), nil)
		if sum := sha256.Sum256(a.body); !strings.EqualFold(hex.EncodeToString(sum[:]), want) {
			return probe.Down("watch.flow-bytes")
		}
	}
	for i := range e.JSON {
		if o := s.value(a, v, i); o.State != "" {
			return o
		}
	}
	return s.save(a, v)
}

func (s *step) value(a *answer, v variables, i int) probe.Outcome {
	j := &s.Expect.JSON[i]
	root, ok := a.decoded()
	if !ok {
		return probe.Down("watch.no-json")
	}
	found, ok := web.Find(root, s.pointers[i])
	if !ok {
		return probe.Down("watch.json-lacks", "pointer", j.At)
	}
	text, scalar := web.Scalar(found)
	good := true
	if j.Is != "" {
		want, _ := v.fill(template(j.Is), nil)
		good = scalar && text == want
	}
	if p, ok := compile(j.Matches, v); j.Matches != "" {
		good = good && ok && scalar && p.MatchString(text)
	}
	if j.Least != nil || j.Most != nil {
		n, err := strconv.ParseFloat(text, 64)
		good = good && scalar && err == nil && (probe.Bounds{AtLeast: j.Least, AtMost: j.Most}).Within(n)
	}
	if !good {
		return probe.Down("watch.json-value", "pointer", j.At)
	}
	return probe.Outcome{}
}

// compile makes a pattern whose variables are taken literally.
func compile(text string, v variables) (*regexp.Regexp, bool) {
	filled, missing := v.fill(template(text), regexp.QuoteMeta)
	p, err := regexp.Compile(filled)
	return p, err == nil && missing == ""
}

// save keeps the values that later steps need: all of them, or the step failed.
func (s *step) save(a *answer, v variables) probe.Outcome {
	for _, want := range s.saves {
		text, ok := want.find(a)
		if !ok || text == "" || len(text) > maxSaved || strings.ContainsFunc(text, unicode.IsControl) {
			return probe.Down("watch.flow-unsaved", "name", want.name)
		}
		v[want.name] = text
	}
	return probe.Outcome{}
}

func (w *saved) find(a *answer) (string, bool) {
	switch {
	case w.pattern != nil:
		if m := w.pattern.FindSubmatch(a.body); m != nil {
			return string(m[1]), true
		}
	case w.from.Header != "":
		return a.Header.Get(w.from.Header), true
	case w.from.Cookie != "":
		for _, c := range a.Cookies() {
			if c.Name == w.from.Cookie {
				return c.Value, true
			}
		}
	default:
		if root, ok := a.decoded(); ok {
			if found, ok := web.Find(root, w.pointer); ok {
				return web.Scalar(found)
			}
		}
	}
	return "", false
}
