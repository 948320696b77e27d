package sensitive

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"holdfast/internal/jsonpointer"
)

// step is one level of a place in a JSON document.
type step struct {
	text  string
	array bool
	index int
}

func (s step) name() string {
	if s.array {
		return strconv.Itoa(s.index)
	}
	return s.text
}

// pointer writes a place as a JSON pointer; any says that every element of an
// array is written alike.
func pointer(path []step, any bool) string {
	var b strings.Builder
	for _, s := range path {
		b.WriteByte('/')
		switch {
		case s.array && any:
			b.WriteByte('*')
		case s.array:
			b.WriteString(strconv.Itoa(s.index))
		default:
			b.WriteString(jsonpointer.Escape(Mask(s.text)))
		}
	}
	return b.String()
}

func looksJSON(body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n\ufeff")
	return len(body) > 0 && strings.IndexByte(`{["-0123456789`, body[0]) >= 0
}

// The classes of bytes that suspect tells apart.
const (
	other = iota // ends a row of digits
	digit
	between // may stand between digits
	escape
	quoteMark
	colon
	high // not ASCII
)

var classes = func() (c [256]uint8) {
	for b := '0'; b <= '9'; b++ {
		c[b] = digit
	}
	for b := 0x80; b < 256; b++ {
		c[b] = high
	}
	c[' '], c['-'], c['.'], c['\\'], c['"'], c[':'] = between, between, between, escape, quoteMark, colon
	return c
}()

// suspect reports, fast, whether a body may hold a card number or a code: a row
// of digits that is long enough, an escape that could hide one, or a name.
func suspect(body []byte) bool {
	digits := 0
	var name []byte // the string that ended last
	start := -1     // of the string that is open
	for i := 0; i < len(body); i++ {
		for body[i]&0xc0 == 0x40 && i+8 < len(body) && letters(body[i:]) {
			digits = 0
			i += 8
		}
		switch classes[body[i]] {
		case digit:
			if digits++; digits >= leastDigits {
				return true
			}
			continue
		case between:
			continue
		case escape:
			if i++; i < len(body) && body[i] == 'u' {
				return true
			}
		case quoteMark:
			if start < 0 {
				start = i + 1
			} else {
				name, start = body[start:i], -1
			}
		case colon:
			if start < 0 && len(name) > 0 && named(codeNames, name) {
				return true
			}
		case high:
			if wide(body[i:]) {
				return true
			}
		}
		digits = 0
	}
	return false
}

// letters reports whether the next eight bytes are letters, or other bytes from @
// to DEL, of which only the backslash means anything here.
func letters(b []byte) bool {
	const ones, sevens = 0x0101010101010101, 0x7f7f7f7f7f7f7f7f
	w := binary.LittleEndian.Uint64(b)
	if w&(ones*0xc0) != ones*0x40 {
		return false
	}
	// A byte of x is zero where one of w is a backslash; no byte of x is above 0x7f.
	x := w ^ ones*'\\'
	return (x+sevens)&(ones*0x80) == ones*0x80
}

// wide reports whether a digit of full width, or a blank that is none of ASCII's,
// begins here.
func wide(b []byte) bool {
	switch {
	case len(b) > 2 && b[0] == 0xef:
		return b[1] == 0xbc && 0x90 <= b[2] && b[2] <= 0x99
	case len(b) > 2 && b[0] == 0xe3:
		return b[1] == 0x80 && b[2] == 0x80
	}
	return len(b) > 1 && b[0] == 0xc2 && b[1] == 0xa0
}

// walk visits every scalar and every name of a JSON text; where a name is
// doubled, both. It returns false where the text is no JSON.
func walk(body []byte, visit func(path []step, value string) bool) bool {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var path []step
	var keys []bool // of each open level: the next token is a name
	next := func() {
		if n := len(path); n > 0 && path[n-1].array {
			path[n-1].index++
		} else if n > 0 {
			keys[n-1] = true
		}
	}
	for {
		token, err := d.Token()
		switch {
		case errors.Is(err, io.EOF):
			return len(path) == 0
		case err != nil:
			return false
		}
		n := len(path)
		switch t := token.(type) {
		case json.Delim:
			switch t {
			case '{':
				path, keys = append(path, step{}), append(keys, true)
			case '[':
				path, keys = append(path, step{array: true}), append(keys, false)
			default:
				path, keys = path[:n-1], keys[:n-1]
				next()
			}
			continue
		case string:
			if n > 0 && keys[n-1] {
				path[n-1].text, keys[n-1] = t, false
				continue
			}
			if !visit(path, t) {
				return true
			}
		case json.Number:
			if !visit(path, t.String()) {
				return true
			}
		case bool:
			if !visit(path, strconv.FormatBool(t)) {
				return true
			}
		default:
			if !visit(path, "") {
				return true
			}
		}
		next()
	}
}

// json searches a JSON body; false says that it is none.
func (f *Finder) json(body []byte, found func(Finding) bool) bool {
	return walk(body, func(path []step, value string) bool {
		last := ""
		if n := len(path); n > 0 && !path[n-1].array {
			last = path[n-1].text
		}
		switch {
		case covered(f.fields, path):
			return f.Drop || found(Finding{pointer(path, false), KindField})
		case f.Allow || covered(f.numbers, path):
			return true
		case hasCard(value) || anyCard(path):
			return found(Finding{pointer(path, false), KindCard})
		case last != "" && named(codeNames, last) && isCode(value):
			return found(Finding{pointer(path, false), KindCode})
		}
		return true
	})
}

// anyCard reports whether a name on the way is a card number.
func anyCard(path []step) bool {
	for _, s := range path {
		if len(s.text) >= leastDigits && hasCard(s.text) {
			return true
		}
	}
	return false
}

// Report finds what looks sensitive in a JSON body, for people who decide what
// to declare: more than what refuses a hold. Elements of an array count as one.
func Report(body []byte, found func(Finding)) {
	walk(body, func(path []step, value string) bool {
		last := ""
		if n := len(path); n > 0 && !path[n-1].array {
			last = path[n-1].text
		}
		if hasCard(value) {
			found(Finding{pointer(path, true), KindCard})
		}
		switch {
		case last == "":
		case named(codeNames, last) && isCode(value):
			found(Finding{pointer(path, true), KindCode})
		case named(codeNames, last) || named(likelyNames, last):
			found(Finding{pointer(path, true), KindName})
		}
		return true
	})
}
