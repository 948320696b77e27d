package identity

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"unicode/utf8"

	"holdfast/internal/continuity"
)

// Kind is the type of a JSON value.
type Kind uint8

// The kinds of JSON values; the zero Kind says that there is none.
const (
	Absent Kind = iota
	String
	Number
	Bool
	Null
	Object
	Array
)

// Value is what stands at a pointer. Text is the decoded string, or the source
// text of a number, true, false or null; it is empty for objects and arrays.
type Value struct {
	Kind Kind
	Text string
}

// Scalar reports whether the value can identify something: a string that is
// not empty, or a number.
func (v Value) Scalar() bool { return v.Kind == Number || (v.Kind == String && v.Text != "") }

// maxDepth bounds the nesting of a body that is read.
const maxDepth = 64

// maxPointers bounds how many values one reading looks for.
const maxPointers = 64

// JSON reads the values at pointers out of a body that must be strict JSON.
// Its error has CodeBadBody.
func JSON(body []byte, pointers ...Pointer) ([]Value, error) {
	s := scanner{values: make([]Value, 0, len(pointers))}
	err := s.read(body, pointers)
	if err != nil {
		return nil, err
	}
	return s.values, nil
}

// read reads the values at pointers out of a body.
func (s *scanner) read(body []byte, pointers []Pointer) error {
	if len(pointers) > maxPointers {
		return continuity.E(continuity.CodeInvalid, fmt.Errorf("identity: %d pointers, at most %d", len(pointers), maxPointers))
	}
	if !utf8.Valid(body) {
		return badBody("not valid UTF-8")
	}
	s.b, s.i, s.pointers = body, 0, pointers
	for range pointers {
		s.values = append(s.values, Value{})
	}
	s.space()
	if err := s.value(0, 1<<len(pointers)-1); err != nil {
		return err
	}
	if s.space(); s.i != len(body) {
		return badBody("data after the value")
	}
	return nil
}

func badBody(why string) error {
	return continuity.E(continuity.CodeBadBody, errors.New("identity: "+why), "why", why)
}

// scanner walks one body once. A set of pointers is a bit mask; a pointer is
// in the set at depth d when its first d tokens lead to where the scanner is.
type scanner struct {
	b        []byte
	i        int
	pointers []Pointer
	values   []Value
	names    [][]byte // of the objects that are open, for doubled names
}

// scanners are used again, as each request of a route that holds is read.
var scanners = sync.Pool{New: func() any { return new(scanner) }}

// free gives a scanner back; what it read is no longer valid.
func (s *scanner) free() {
	names := s.names[:cap(s.names)]
	clear(names)
	clear(s.values)
	if len(names) <= 4*manyNames {
		*s = scanner{values: s.values[:0], names: names[:0]}
		scanners.Put(s)
	}
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

// value scans the value at the cursor, which stands at depth in the document.
func (s *scanner) value(depth int, set uint64) error {
	if s.i >= len(s.b) {
		return badBody("ends early")
	}
	var v Value
	var err error
	switch c := s.b[s.i]; {
	case c == '{':
		v.Kind, err = Object, s.object(depth, set)
	case c == '[':
		v.Kind, err = Array, s.array(depth, set)
	case c == '"':
		var text []byte
		if text, err = s.string(); err == nil && s.ends(depth, set) {
			v = Value{String, string(text)}
		}
	case c == '-' || '0' <= c && c <= '9':
		v, err = s.number(s.ends(depth, set))
	case c == 't':
		v, err = s.literal("true", Bool)
	case c == 'f':
		v, err = s.literal("false", Bool)
	case c == 'n':
		v, err = s.literal("null", Null)
	default:
		return badBody("not JSON")
	}
	if err != nil || set == 0 {
		return err
	}
	for n := range s.pointers {
		if set&(1<<n) != 0 && len(s.pointers[n].tokens) == depth {
			s.values[n] = v
		}
	}
	return nil
}

// ends reports whether any pointer of the set ends at depth, so that its value
// is wanted.
func (s *scanner) ends(depth int, set uint64) bool {
	for n := range s.pointers {
		if set&(1<<n) != 0 && len(s.pointers[n].tokens) == depth {
			return true
		}
	}
	return false
}

// narrow keeps the pointers of the set whose next token is name.
func (s *scanner) narrow(depth int, set uint64, name []byte) uint64 {
	if set == 0 {
		return 0
	}
	for n := range s.pointers {
		if t := s.pointers[n].tokens; set&(1<<n) != 0 && (len(t) <= depth || t[depth] != string(name)) {
			set &^= 1 << n
		}
	}
	return set
}

// manyNames is where an object's names are kept in a map and no longer compared
// one by one, so that a large object costs no square of its size.
const manyNames = 32

func (s *scanner) object(depth int, set uint64) error {
	if depth >= maxDepth {
		return badBody("nested too deeply")
	}
	s.i++
	if s.space(); s.at('}') {
		return nil
	}
	base := len(s.names)
	defer func() { s.names = s.names[:base] }()
	var seen map[string]struct{}
	for {
		if s.i >= len(s.b) || s.b[s.i] != '"' {
			return badBody("a name is missing")
		}
		name, err := s.string()
		if err != nil {
			return err
		}
		if seen != nil {
			if _, twice := seen[string(name)]; twice {
				return badBody("a name stands twice in one object")
			}
			seen[string(name)] = struct{}{}
		} else {
			for _, other := range s.names[base:] {
				if bytes.Equal(other, name) {
					return badBody("a name stands twice in one object")
				}
			}
			if s.names = append(s.names, name); len(s.names)-base == manyNames {
				seen = make(map[string]struct{}, 2*manyNames)
				for _, other := range s.names[base:] {
					seen[string(other)] = struct{}{}
				}
			}
		}
		if s.space(); !s.at(':') {
			return badBody("a colon is missing")
		}
		s.space()
		if err := s.value(depth+1, s.narrow(depth, set, name)); err != nil {
			return err
		}
		s.space()
		if s.at('}') {
			return nil
		}
		if !s.at(',') {
			return badBody("a comma is missing")
		}
		s.space()
	}
}

func (s *scanner) array(depth int, set uint64) error {
	if depth >= maxDepth {
		return badBody("nested too deeply")
	}
	s.i++
	if s.space(); s.at(']') {
		return nil
	}
	var digits [20]byte
	for index := 0; ; index++ {
		below := uint64(0)
		if set != 0 {
			below = s.narrow(depth, set, strconv.AppendInt(digits[:0], int64(index), 10))
		}
		if err := s.value(depth+1, below); err != nil {
			return err
		}
		s.space()
		if s.at(']') {
			return nil
		}
		if !s.at(',') {
			return badBody("a comma is missing")
		}
		s.space()
	}
}

// at steps over c if it stands at the cursor.
func (s *scanner) at(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *scanner) literal(text string, kind Kind) (Value, error) {
	if len(s.b)-s.i < len(text) || string(s.b[s.i:s.i+len(text)]) != text {
		return Value{}, badBody("not JSON")
	}
	s.i += len(text)
	return Value{kind, text}, nil
}

func (s *scanner) number(wanted bool) (Value, error) {
	start := s.i
	s.at('-')
	switch {
	case s.at('0'):
	case s.digits() == 0:
		return Value{}, badBody("not a number")
	}
	if s.at('.') && s.digits() == 0 {
		return Value{}, badBody("not a number")
	}
	if s.at('e') || s.at('E') {
		if !s.at('+') {
			s.at('-')
		}
		if s.digits() == 0 {
			return Value{}, badBody("not a number")
		}
	}
	v := Value{Kind: Number}
	if wanted {
		v.Text = string(s.b[start:s.i])
	}
	return v, nil
}

func (s *scanner) digits() (n int) {
	for ; s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9'; s.i++ {
		n++
	}
	return n
}
