package sensitive

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"holdfast/internal/continuity"
)

// Dropped returns a request without the fields that the route drops. What else
// there is stays byte for byte. changed is false where there was none of them;
// ok is false where the body can't be rewritten.
func (f *Finder) Dropped(req Request) (out Request, changed, ok bool) {
	if !f.Drop {
		return req, false, true
	}
	out = req
	if slices.ContainsFunc(req.Header, func(h continuity.Field) bool { return f.isHeader(h.Name) }) {
		changed = true
		out.Header = slices.DeleteFunc(slices.Clone(req.Header), func(h continuity.Field) bool { return f.isHeader(h.Name) })
	}
	if target, cut := f.cutQuery(req.Target); cut {
		out.Target, changed = target, true
	}
	if len(f.fields) == 0 || len(req.Body) == 0 {
		return out, changed, true
	}
	form := isForm(req.Header)
	if looksJSON(req.Body) {
		body, cut, ok := f.cutJSON(req.Body)
		if cut {
			out.Body, changed = body, true
		}
		if ok || !form {
			return out, changed, ok
		}
	}
	if form {
		if body, cut := f.cutForm(string(req.Body)); cut {
			out.Body, changed = []byte(body), true
		}
	}
	return out, changed, true
}

func (f *Finder) cutQuery(target string) (string, bool) {
	path, query, has := strings.Cut(target, "?")
	if !has || len(f.Query) == 0 {
		return target, false
	}
	kept, cut := without(query, func(name string) bool { return slices.Contains(f.Query, name) })
	if kept == "" && cut {
		return path, true
	}
	return path + "?" + kept, cut
}

func (f *Finder) cutForm(body string) (string, bool) {
	return without(body, func(name string) bool { return covered(f.fields, []step{{text: name}}) })
}

// without takes the pairs out of a form whose name is dropped.
func without(form string, dropped func(name string) bool) (string, bool) {
	parts := strings.Split(form, "&")
	kept := slices.DeleteFunc(slices.Clone(parts), func(part string) bool {
		name, _, _ := strings.Cut(part, "=")
		return part != "" && dropped(unescape(name))
	})
	return strings.Join(kept, "&"), len(kept) < len(parts)
}

// copier writes JSON anew, token by token: members can be left out, and scalars
// replaced.
type copier struct {
	d    *json.Decoder
	body []byte
	out  *bytes.Buffer
	path []step
}

// cutJSON takes the members out of a JSON body that the route drops; elements
// of arrays become null, so that no other one moves.
func (f *Finder) cutJSON(body []byte) (out []byte, cut, ok bool) {
	hit := false
	if !walk(body, func(path []step, _ string) bool {
		hit = hit || covered(f.fields, path)
		return !hit
	}) {
		return body, false, false
	}
	if !hit {
		return body, false, true
	}
	var b bytes.Buffer
	ok = rewrite(body, &b, func(path []step) bool { return covered(f.fields, path) }, nil)
	return b.Bytes(), true, ok
}

// maskJSON writes a body for people.
func (f *Finder) maskJSON(body []byte, out *strings.Builder) bool {
	var b bytes.Buffer
	ok := rewrite(body, &b, nil, func(path []step, raw []byte, text string) []byte {
		last := ""
		if n := len(path); n > 0 && !path[n-1].array {
			last = path[n-1].text
		}
		if covered(f.fields, path) || named(codeNames, last) && isCode(text) {
			return []byte(`"` + hidden + `"`)
		}
		if m := Mask(text); m != text {
			quoted, _ := json.Marshal(m)
			return quoted
		}
		return raw
	})
	out.Write(b.Bytes())
	return ok
}

// rewrite copies JSON. Members at paths that drop names are left out; every
// scalar may be replaced. Numbers and strings stay as they are written.
func rewrite(body []byte, out *bytes.Buffer, drop func(path []step) bool, scalar func(path []step, raw []byte, text string) []byte) bool {
	c := &copier{d: json.NewDecoder(bytes.NewReader(body)), body: body, out: out}
	c.d.UseNumber()
	if !c.value(drop, scalar) {
		return false
	}
	_, err := c.d.Token()
	return errors.Is(err, io.EOF)
}

// value copies one value.
func (c *copier) value(drop func([]step) bool, scalar func([]step, []byte, string) []byte) bool {
	before := c.d.InputOffset()
	token, err := c.d.Token()
	if err != nil {
		return false
	}
	switch t := token.(type) {
	case json.Delim:
		return c.inside(t, drop, scalar)
	default:
		raw := bytes.TrimLeft(c.body[before:c.d.InputOffset()], " \t\r\n,:")
		if scalar != nil {
			text := ""
			switch v := token.(type) {
			case string:
				text = v
			case json.Number:
				text = v.String()
			}
			raw = scalar(c.path, raw, text)
		}
		c.out.Write(raw)
		return true
	}
}

func (c *copier) inside(open json.Delim, drop func([]step) bool, scalar func([]step, []byte, string) []byte) bool {
	c.out.WriteString(open.String())
	c.path = append(c.path, step{array: open == '['})
	top := len(c.path) - 1
	wrote := false
	for n := 0; c.d.More(); n++ {
		name := ""
		if open == '{' {
			token, err := c.d.Token()
			if err != nil {
				return false
			}
			name = token.(string)
			c.path[top].text = name
		} else {
			c.path[top].index = n
		}
		if drop != nil && drop(c.path) {
			var skipped json.RawMessage
			if c.d.Decode(&skipped) != nil {
				return false
			}
			if open == '{' {
				continue
			}
			c.separate(wrote)
			c.out.WriteString("null")
			wrote = true
			continue
		}
		c.separate(wrote)
		wrote = true
		if open == '{' {
			shown := name
			if scalar != nil {
				shown = Mask(name)
			}
			c.out.WriteString(quote(shown))
			c.out.WriteByte(':')
		}
		if !c.value(drop, scalar) {
			return false
		}
	}
	token, err := c.d.Token()
	if err != nil {
		return false
	}
	c.out.WriteString(token.(json.Delim).String())
	c.path = c.path[:top]
	return true
}

func (c *copier) separate(more bool) {
	if more {
		c.out.WriteByte(',')
	}
}

func quote(name string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(name) != nil {
		return strconv.Quote(name)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
