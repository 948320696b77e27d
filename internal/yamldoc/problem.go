package yamldoc

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"

	"holdfast/internal/catalogue"
)

// Severity says whether a problem keeps the configuration out of use.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Problem is one mistake, or one thing to think about, at one place of the
// file. Its texts stand in the catalogue under its ID.
type Problem struct {
	File     string         `json:"file"`
	Line     int            `json:"line"`   // from 1
	Column   int            `json:"column"` // from 1, in characters
	Length   int            `json:"length"` // in characters, all on Line
	Severity Severity       `json:"severity"`
	ID       string         `json:"id"`
	Args     catalogue.Args `json:"args,omitempty"`
}

// Text says where the problem is and what is wrong.
func (p Problem) Text(lang catalogue.Lang) string {
	text := fmt.Sprintf("%s:%d:%d: ", p.File, p.Line, p.Column)
	if p.Severity == Warning {
		text += catalogue.Text(lang, "config.label.warning", nil)
	}
	return text + p.What(lang)
}

// What says what is wrong, without the place.
func (p Problem) What(lang catalogue.Lang) string {
	return catalogue.Text(lang, p.ID, listed(lang, p.Args))
}

// Hint says what would be right.
func (p Problem) Hint(lang catalogue.Lang) string {
	return catalogue.Text(lang, p.ID+".hint", listed(lang, p.Args))
}

// listed joins the lists among the arguments as the language does. Arguments
// may have been through JSON.
func listed(lang catalogue.Lang, args catalogue.Args) catalogue.Args {
	comma := ", "
	if lang == catalogue.Zh {
		comma = "、"
	}
	out := make(catalogue.Args, len(args))
	for name, arg := range args {
		switch v := arg.(type) {
		case []string:
			arg = strings.Join(v, comma)
		case []any:
			words := make([]string, 0, len(v))
			for _, word := range v {
				words = append(words, fmt.Sprint(word))
			}
			arg = strings.Join(words, comma)
		case float64:
			arg = strconv.FormatFloat(v, 'f', -1, 64)
		}
		out[name] = arg
	}
	return out
}

// Failed reports whether any of the problems is an error.
func Failed(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return p.Severity == Error })
}

// Render writes the problems as a compiler does: place, what is wrong, the line
// of the source, and under it what would be right. src may be nil.
func Render(w io.Writer, lang catalogue.Lang, src []byte, problems []Problem) error {
	lines := SplitLines(src)
	for _, p := range problems {
		text := p.Text(lang) + "\n"
		if p.Line >= 1 && p.Line <= len(lines) && !strings.ContainsRune(lines[p.Line-1], 0) {
			text += excerpt(lines[p.Line-1], p, secretsOn(p.Line, problems), p.Hint(lang))
		} else {
			text += "      " + p.Hint(lang) + "\n"
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	return nil
}

// WriteJSON writes the problems as a JSON array, with their texts in lang.
func WriteJSON(w io.Writer, lang catalogue.Lang, problems []Problem) error {
	type told struct {
		Problem
		Text string `json:"text"`
		Hint string `json:"hint"`
	}
	out := make([]told, 0, len(problems))
	for _, p := range problems {
		out = append(out, told{p, p.What(lang), p.Hint(lang)})
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}

// excerptWidth is how many characters of a long line are shown.
const excerptWidth = 100

// excerpt shows a line with the problem marked and the hint beside the mark.
func excerpt(line string, p Problem, secrets []Place, hint string) string {
	runes := []rune(mask(line, secrets))
	from := min(p.Column-1, len(runes))
	to := min(from+max(p.Length, 1), max(len(runes), from+1))
	head, tail := "", ""
	if cut := max(0, from-excerptWidth/2); cut > 0 {
		runes, from, to, head = runes[cut:], from-cut, to-cut, "…"
	}
	if len(runes) > excerptWidth {
		runes, to, tail = runes[:excerptWidth], min(to, excerptWidth), "…"
	}
	shown := make([]rune, 0, len(runes))
	for _, r := range runes {
		switch { // what would move the mark away from its place
		case r == '\t':
			r = '→'
		case unicode.IsControl(r), invisible(r):
			r = '·'
		}
		shown = append(shown, r)
	}
	width := func(from, to int) int {
		n := 0
		for i := from; i < to; i++ {
			if i >= len(shown) {
				n++
				continue
			}
			n += max(screen.RuneWidth(shown[i]), 1)
		}
		return n
	}
	pad := strings.Repeat(" ", width(0, from)+len([]rune(head)))
	marks := strings.Repeat("^", max(width(from, to), 1))
	return fmt.Sprintf("%5d | %s\n      | %s\n", p.Line, head+string(shown)+tail, pad+marks+" "+hint)
}

// screen measures characters as a terminal without East Asian settings does.
var screen = &runewidth.Condition{}

// secretsOn lists the places on a line that hold a secret in plain text.
func secretsOn(line int, problems []Problem) []Place {
	var places []Place
	for _, p := range problems {
		if p.Line == line && (p.ID == "config.secret" || p.ID == "config.secret-token") {
			places = append(places, Place{p.Line, p.Column, p.Length})
		}
	}
	return places
}

var passwords = regexp.MustCompile(`(?i)(://[^:/?#\s]*:)[^@\s]+@` +
	`|(\b(?:authorization|proxy-authorization|cookie|set-cookie|(?:x-)?(?:[a-z]+-)*(?:api-?key|token))["']?\s*:\s*)(?:"[^"]*"|'[^']*'|[^\s"'{},#][^{},#]*)` +
	`|((?:password|passwd|pwd|secret|token)["']?\s*[=:]\s*)[^\s{},&]+`)

// reference is a value that names a secret kept elsewhere, and is none itself.
var reference = regexp.MustCompile(`\{\s*secret:\s*[A-Z][A-Z0-9_]*\s*\}`)

// mask hides what looks like a secret, character for character, so that an
// excerpt can go into a log or a ticket.
func mask(line string, secrets []Place) string {
	runes := []rune(line)
	for _, s := range secrets {
		for i := max(s.Column-1, 0); i < min(s.Column-1+s.Length, len(runes)); i++ {
			runes[i] = '*'
		}
	}
	line, shown := string(runes), strings.Builder{}
	at := 0
	for _, named := range reference.FindAllStringIndex(line, -1) {
		shown.WriteString(starred(line[at:named[0]]) + line[named[0]:named[1]])
		at = named[1]
	}
	return shown.String() + starred(line[at:])
}

func starred(text string) string {
	return passwords.ReplaceAllStringFunc(text, func(found string) string {
		parts := passwords.FindStringSubmatch(found)
		keep, end := parts[1]+parts[2]+parts[3], ""
		if parts[1] != "" {
			end = "@"
		}
		hidden := utf8.RuneCountInString(found) - utf8.RuneCountInString(keep) - len(end)
		return keep + strings.Repeat("*", hidden) + end
	})
}

// Findings collects problems on the way through a file.
type Findings struct {
	file     string
	problems []Problem
	erred    bool
}

// ReportedOn reports whether a line has an error already, of which another
// would only be the echo.
func (f *Findings) ReportedOn(line int) bool {
	return slices.ContainsFunc(f.problems, func(p Problem) bool { return p.Line == line && p.Severity == Error })
}

// maxProblems bounds what is reported of one file; who mends a hundred runs the
// check again.
const maxProblems = 100

// Full says that one more error would not be told, so that nobody need look for
// what to advise about it.
func (f *Findings) Full() bool { return f.erred && len(f.problems) >= maxProblems }

// NewFindings begins the findings of a file, by its name in problems.
func NewFindings(file string) *Findings { return &Findings{file: file} }

// Add notes a problem; pairs are the arguments of its text, names and values.
func (f *Findings) Add(severity Severity, at Place, id string, pairs ...any) {
	if len(f.problems) >= maxProblems && (f.erred || severity == Warning) {
		return
	}
	f.erred = f.erred || severity == Error
	var args catalogue.Args
	if len(pairs) > 0 {
		args = make(catalogue.Args, len(pairs)/2)
		for i := 0; i+1 < len(pairs); i += 2 {
			args[pairs[i].(string)] = pairs[i+1]
		}
	}
	f.problems = append(f.problems, Problem{
		File: f.file, Line: at.Line, Column: at.Column, Length: at.Length,
		Severity: severity, ID: id, Args: args,
	})
}

// Error notes what keeps the document out of use.
func (f *Findings) Error(at Place, id string, pairs ...any) { f.Add(Error, at, id, pairs...) }

// Warning notes something to think about.
func (f *Findings) Warning(at Place, id string, pairs ...any) { f.Add(Warning, at, id, pairs...) }

// Failed reports whether there was an error.
func (f *Findings) Failed() bool { return f.erred }

// Settle puts the problems in the order of the file and inside its lines.
func (f *Findings) Settle(lines []string) []Problem {
	for i := range f.problems {
		p := &f.problems[i]
		p.Line = min(max(p.Line, 1), max(len(lines), 1))
		width := 0
		if len(lines) > 0 {
			width = utf8.RuneCountInString(lines[p.Line-1])
		}
		p.Column = min(max(p.Column, 1), width+1)
		p.Length = min(max(p.Length, 1), max(width+1-p.Column, 1))
	}
	slices.SortStableFunc(f.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return f.problems
}

// Found are the problems as they were added.
func (f *Findings) Found() []Problem { return f.problems }
