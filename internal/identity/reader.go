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
	HasKey   bool             // the request bears one; always false on an unordered route
	Excepted bool             // the route never holds such a body
	Fields   []string         // values of the repeat identity's fields; nil: not all are there
	Amount   continuity.Money // what it is worth; zero: it can't be read
}

// Reader reads what one route needs, with one pass over the body at most for
// each form in which the route expects it.
type Reader struct {
	key      continuity.Selector
	pointers []Pointer
	forms    []string
	paths    []path
	except   []continuity.Except
	keyAt    int      // the key's place among those of its source
	exceptAt int      // the first exception's place among the pointers
	fields   []wanted // that identify repeats
	amount   *continuity.Amount
	amountAt int // the amount's place among the pointers; the currency's is the next
}

// wanted is a value that is read: the nth of its source.
type wanted struct {
	source continuity.Source
	n      int
}

// NewReader prepares the reading of a route. It fails on pointers that are none.
func NewReader(route *continuity.Route) (*Reader, error) {
	r := &Reader{key: route.Key, except: route.Hold.Except}
	var err error
	if inBody(route.Key.Source) {
		w, err := r.want(route.Key.Source, route.Key.Name)
		if err != nil {
			return nil, err
		}
		r.keyAt = w.n
	}
	first := len(r.pointers)
	for _, e := range route.Hold.Except {
		if _, err = r.want(continuity.SourceJSON, e.Pointer); err != nil {
			return nil, err
		}
	}
	r.exceptAt = first
	for _, text := range route.Identity.Fields {
		w, err := r.want(ParseField(text))
		if err != nil {
			return nil, err
		}
		r.fields = append(r.fields, w)
	}
	if a := route.Hold.Amount; a != nil {
		r.amount, r.amountAt = a, len(r.pointers)
		if _, err := r.want(continuity.SourceJSON, a.Pointer); err != nil {
			return nil, err
		}
		if a.In != "" {
			if _, err := r.want(continuity.SourceJSON, a.In); err != nil {
				return nil, err
			}
		}
	}
	if n := max(len(r.pointers), len(r.forms), len(r.paths)); n > maxPointers {
		return nil, fmt.Errorf("identity: route %s reads %d values, at most %d", route.ID, n, maxPointers)
	}
	return r, nil
}

// ParseField tells where a field of the body is read: a JSON pointer, form:name
// or xml:/path.
func ParseField(text string) (continuity.Source, string) {
	if name, ok := strings.CutPrefix(text, "form:"); ok {
		return continuity.SourceForm, name
	}
	if name, ok := strings.CutPrefix(text, "xml:"); ok {
		return continuity.SourceXML, name
	}
	return continuity.SourceJSON, text
}

func inBody(s continuity.Source) bool {
	return s == continuity.SourceJSON || s == continuity.SourceForm || s == continuity.SourceXML
}

func (r *Reader) want(source continuity.Source, name string) (wanted, error) {
	switch source {
	case continuity.SourceForm:
		r.forms = append(r.forms, name)
		return wanted{source, len(r.forms) - 1}, nil
	case continuity.SourceXML:
		p, err := parsePath(name)
		r.paths = append(r.paths, p)
		return wanted{source, len(r.paths) - 1}, err
	default:
		p, err := ParsePointer(name)
		r.pointers = append(r.pointers, p)
		return wanted{continuity.SourceJSON, len(r.pointers) - 1}, err
	}
}

// HasFields reports whether fields of the body identify repeats.
func (r *Reader) HasFields() bool { return len(r.fields) > 0 }

// Read reads a request. Its error has CodeBadBody: the body is needed and is
// not what it has to be. A request without a body lacks every field of it.
func (r *Reader) Read(req Request) (Facts, error) {
	f := Facts{Ordered: r.key.Source != continuity.SourceNone}
	s := scanners.Get().(*scanner)
	defer s.free()
	read, err := r.body(req, s)
	if err != nil {
		return f, err
	}
	switch r.key.Source {
	case continuity.SourceHeader:
		f.Key, f.HasKey = header(req.Header, r.key.Name)
	case continuity.SourcePath:
		f.Key, f.HasKey = segment(req.Target, r.key.Index)
	case continuity.SourceJSON, continuity.SourceForm, continuity.SourceXML:
		if v := read.value(wanted{r.key.Source, r.keyAt}); v.Scalar() {
			f.Key, f.HasKey = v.Text, true
		}
	}
	for n, e := range r.except {
		f.Excepted = f.Excepted || excepted(e, read.value(wanted{continuity.SourceJSON, r.exceptAt + n}))
	}
	f.Fields = r.identityOf(read)
	f.Amount = r.money(read)
	return f, nil
}

// values are what a body holds, by source.
type values struct{ json, form, xml []Value }

func (v *values) value(w wanted) Value {
	list := v.json
	switch w.source {
	case continuity.SourceForm:
		list = v.form
	case continuity.SourceXML:
		list = v.xml
	}
	if w.n < len(list) {
		return list[w.n]
	}
	return Value{}
}

// body reads what the body holds, JSON by a scanner whose values those are.
func (r *Reader) body(req Request, s *scanner) (v values, err error) {
	if len(req.Body) == 0 || len(r.pointers)+len(r.forms)+len(r.paths) == 0 {
		return v, nil
	}
	if err := plain(req.Header); err != nil {
		return v, err
	}
	if len(r.pointers) > 0 {
		if err = s.read(req.Body, r.pointers); err != nil {
			return v, err
		}
		v.json = s.values
	}
	if len(r.forms) > 0 {
		if v.form, err = form(req.Body, r.forms); err != nil {
			return v, err
		}
	}
	if len(r.paths) > 0 {
		v.xml, err = xmlValues(req.Body, r.paths)
	}
	return v, err
}

// identityOf returns the values that identify a repeat, if all are there.
func (r *Reader) identityOf(read values) []string {
	if len(r.fields) == 0 {
		return nil
	}
	texts := make([]string, len(r.fields))
	for n, w := range r.fields {
		v := read.value(w)
		if !v.Scalar() {
			return nil
		}
		texts[n] = v.Text
	}
	return texts
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
