package identity

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"holdfast/internal/continuity"
)

// Request is what values are read out of; a record has the same parts.
type Request struct {
	Target string // path and query
	Header []continuity.Field
	Body   []byte
}

// Facts are what a route's reading found in a request.
type Facts struct {
	Ordered  bool // the route has an ordering key
	Key      string
	HasKey   bool     // the request bears one; always false on an unordered route
	Excepted bool     // the route never holds such a body
	Fields   []string // values of the repeat identity's fields; nil: not all are there
}

// Reader reads what one route needs, with one pass over the body at most.
type Reader struct {
	key      continuity.Selector
	pointers []Pointer
	except   []continuity.Except
	fields   int // how many of pointers, after the key and the exceptions, are identity fields
}

// NewReader prepares the reading of a route. It fails on pointers that are none.
func NewReader(route *continuity.Route) (*Reader, error) {
	r := &Reader{key: route.Key, except: route.Hold.Except, fields: len(route.Identity.Fields)}
	var texts []string
	if route.Key.Source == continuity.SourceJSON {
		texts = append(texts, route.Key.Name)
	}
	for _, e := range route.Hold.Except {
		texts = append(texts, e.Pointer)
	}
	texts = append(texts, route.Identity.Fields...)
	if len(texts) > maxPointers {
		return nil, fmt.Errorf("identity: route %s reads %d JSON pointers, at most %d", route.ID, len(texts), maxPointers)
	}
	for _, text := range texts {
		p, err := ParsePointer(text)
		if err != nil {
			return nil, err
		}
		r.pointers = append(r.pointers, p)
	}
	return r, nil
}

// HasFields reports whether fields of the body identify repeats.
func (r *Reader) HasFields() bool { return r.fields > 0 }

// Read reads a request. Its error has CodeBadBody: the body is needed and is
// not strict JSON. A request without a body lacks every field of it.
func (r *Reader) Read(req Request) (Facts, error) {
	f := Facts{Ordered: r.key.Source != continuity.SourceNone}
	var values []Value
	if len(r.pointers) > 0 && len(req.Body) > 0 {
		if err := plain(req.Header); err != nil {
			return f, err
		}
		var err error
		if values, err = JSON(req.Body, r.pointers...); err != nil {
			return f, err
		}
	}
	switch r.key.Source {
	case continuity.SourceHeader:
		f.Key, f.HasKey = header(req.Header, r.key.Name)
	case continuity.SourcePath:
		f.Key, f.HasKey = segment(req.Target, r.key.Index)
	case continuity.SourceJSON:
		if values != nil {
			if f.HasKey = values[0].Scalar(); f.HasKey {
				f.Key = values[0].Text
			}
			values = values[1:]
		}
	}
	if values == nil {
		return f, nil
	}
	for n, e := range r.except {
		f.Excepted = f.Excepted || excepted(e, values[n])
	}
	f.Fields = fields(values[len(r.except):])
	return f, nil
}

// Read reads the one value that a selector names; it reports whether a value
// that identifies something is there.
func Read(sel continuity.Selector, req Request) (string, bool, error) {
	r, err := NewReader(&continuity.Route{Key: sel})
	if err != nil {
		return "", false, continuity.E(continuity.CodeInvalid, err)
	}
	f, err := r.Read(req)
	return f.Key, f.HasKey, err
}

// plain refuses a body under any content coding but identity: what is not
// decoded cannot be read, and decoding it would be another's reading.
func plain(header []continuity.Field) error {
	for _, f := range header {
		if strings.EqualFold(f.Name, "Content-Encoding") && f.Value != "" && !strings.EqualFold(strings.TrimSpace(f.Value), "identity") {
			return badBody("a content coding that is not read")
		}
	}
	return nil
}

// header returns a field's value. A field that stands there twice with two
// values has none: its readers could each take another.
func header(fields []continuity.Field, name string) (string, bool) {
	value, found := "", false
	for _, f := range fields {
		if !strings.EqualFold(f.Name, name) {
			continue
		}
		if found && f.Value != value {
			return "", false
		}
		value, found = f.Value, true
	}
	return value, value != ""
}

// segment returns part number index of the path, counted from 1, unescaped.
func segment(target string, index int) (string, bool) {
	path, _, _ := strings.Cut(target, "?")
	path = strings.TrimPrefix(path, "/")
	for n := 1; n < index; n++ {
		var more bool
		if _, path, more = strings.Cut(path, "/"); !more {
			return "", false
		}
	}
	path, _, _ = strings.Cut(path, "/")
	value, err := url.PathUnescape(path)
	return value, err == nil && value != ""
}

func excepted(e continuity.Except, v Value) bool {
	if v.Kind == Absent {
		return false
	}
	return len(e.In) == 0 || (v.Text != "" && slices.Contains(e.In, v.Text))
}

func fields(values []Value) []string {
	if len(values) == 0 {
		return nil
	}
	texts := make([]string, len(values))
	for n, v := range values {
		if !v.Scalar() {
			return nil
		}
		texts[n] = v.Text
	}
	return texts
}
