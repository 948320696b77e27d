package yamldoc

import (
	"regexp"
	"strings"
)

// scanner walks the lines before YAML does, finds tabs and full-width
// punctuation where structure is meant, and mends them, so that one foreign
// colon does not hide the mistakes after it. Inside quotes, comments and block
// texts everything is left as it is.
type scanner struct {
	*Findings
	line   int // number of the line
	quote  rune
	mended bool   // the open quote was a full-width one
	open   []rune // flow brackets
	block  int    // indentation that a block text must exceed; -1 outside
	shifts shifts

	// Of the present line:
	in, out []rune
	leading bool // nothing but indentation and dashes so far
	start   bool // a value or a key may begin here
	key     int  // where the present key began, -1 after its colon
	indent  int
	filled  int // the first character from here on that is no space, as far as sought
}

// shifts holds, for each mended line, the columns at which a space was put in.
type shifts map[int][]int

// back turns a place of the mended text into one of the file.
func (s shifts) back(at Place) Place {
	column := at.Column
	for _, put := range s[at.Line] {
		if at.Column > put {
			column--
		}
	}
	at.Column = column
	return at
}

// scan returns the mended lines.
func scan(f *Findings, lines []string) ([]string, shifts) {
	s := &scanner{Findings: f, block: -1, shifts: shifts{}}
	mended := make([]string, len(lines))
	for i, line := range lines {
		s.line = i + 1
		mended[i] = s.mend(line)
	}
	return mended, s.shifts
}

// blockText matches the end of a line after which a block text begins.
var blockText = regexp.MustCompile(`(^|[:\-]\s+)[|>][+\-0-9]*\s*(#.*)?$`)

// name matches what can only be meant as a field's name.
var name = regexp.MustCompile(`^[ \x{3000}]*["']?[A-Za-z_][A-Za-z0-9_-]*["']?[ \x{3000}]*$`)

// longName is longer than any field's name.
const longName = 64

// field matches the beginning of a field inside { }.
var field = regexp.MustCompile(`^[ \x{3000}]*["']?[A-Za-z_][A-Za-z0-9_-]*["']?[ \x{3000}]*[:：]`)

func (s *scanner) inFlow() bool { return len(s.open) > 0 }

func (s *scanner) mend(line string) string {
	if s.block >= 0 {
		if text := strings.TrimLeft(line, " "); text == "" || len(line)-len(text) > s.block {
			return line
		}
		s.block = -1
	}
	s.in, s.out = []rune(line), make([]rune, 0, len(line)+1)
	s.leading, s.start, s.key, s.indent, s.filled = s.quote == 0, true, 0, 0, 0
	for i := 0; i < len(s.in); i++ {
		switch {
		case s.quote != 0:
			i += s.quoted(i)
		case s.in[i] == '#' && (i == 0 || s.blank(i-1)):
			s.out = append(s.out, s.in[i:]...)
			i = len(s.in)
		default:
			s.step(i)
		}
	}
	mended := string(s.out)
	if s.quote == 0 && !s.inFlow() && blockText.MatchString(mended) {
		s.block = s.indent
	}
	return mended
}

// quoted copies one character inside quotes, or two that belong together, and
// returns how many more than one it took.
func (s *scanner) quoted(i int) int {
	r := s.in[i]
	next := i+1 < len(s.in)
	if s.quote == '"' && r == '\\' && next || s.quote == '\'' && r == '\'' && next && s.in[i+1] == '\'' {
		s.out = append(s.out, r, s.in[i+1])
		return 1
	}
	if a, _ := plain(r); r == s.quote || s.mended && a == s.quote {
		r, s.quote, s.start = s.quote, 0, false
	}
	s.out = append(s.out, r)
	return 0
}

// step takes one character outside quotes and comments.
func (s *scanner) step(i int) {
	r := s.in[i]
	if a, ok := plain(r); ok && s.structural(i, a) {
		reportWide(s.Findings, Place{s.line, i + 1, 1}, r, a)
		r = a
		s.mended = a == '"' || a == '\''
	} else {
		s.mended = false
	}
	if r == '\t' {
		s.Error(Place{s.line, i + 1, 1}, "config.tab")
		r = ' '
	}
	s.out = append(s.out, r)
	last := i+1 == len(s.in)
	switch {
	case r == ' ':
		if s.leading {
			s.indent++
		}
		return
	case (r == '"' || r == '\'') && s.start:
		s.quote = r
	case (r == '{' || r == '[') && (s.start || s.inFlow()):
		s.open = append(s.open, r)
		s.leading, s.start, s.key = false, true, i+1
		return
	case (r == '}' || r == ']') && s.inFlow():
		s.open = s.open[:len(s.open)-1]
	case r == ',' && s.inFlow():
		s.start, s.key = true, i+1
		return
	case r == ':' && (last || s.blank(i+1) || s.in[i] != ':'):
		if !last && !s.blank(i+1) {
			s.out = append(s.out, ' ') // YAML wants a space after the colon
			s.shifts[s.line] = append(s.shifts[s.line], len(s.out))
		}
		s.leading, s.start, s.key = false, true, -1
		return
	case r == '-' && s.leading && (last || s.blank(i+1)):
		s.indent++
		s.key = i + 1
		return
	}
	s.leading, s.start = false, false
}

// blank reports whether the character at i is a space of any kind.
func (s *scanner) blank(i int) bool {
	a, _ := plain(s.in[i])
	return a == ' ' || a == '\t'
}

// structural reports whether the full-width character at i stands where YAML
// reads structure, so that it can't be part of a text.
func (s *scanner) structural(i int, meant rune) bool {
	switch meant {
	case ' ':
		if s.leading || s.start {
			return true
		}
		for ; s.filled < len(s.in) && (s.filled < i || s.blank(s.filled)); s.filled++ {
		}
		return s.filled == len(s.in) || s.in[s.filled] == '#'
	case ':':
		return s.key >= 0 && s.key <= i && i-s.key <= longName && name.MatchString(string(s.in[s.key:i]))
	case ',': // in a list; in a mapping where another field follows
		return s.inFlow() && (s.open[len(s.open)-1] == '[' || field.MatchString(string(s.in[i+1:min(i+longName, len(s.in))])))
	case '[', '{':
		return s.start
	case ']', '}':
		return s.inFlow()
	case '"', '\'':
		return s.start
	case '#':
		return i == 0 || s.blank(i-1)
	case '-':
		return s.leading && i+1 < len(s.in) && s.blank(i+1)
	}
	return false
}
