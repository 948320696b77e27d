package plan

import (
	"bytes"
	"cmp"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"holdfast/internal/yamldoc"
)

var schemaLine = regexp.MustCompile(`(?m)^schema\s*[:：]\s*["']?holdfast/(plan-tech|plan|people)@`)

// KindOf tells the kind of a file by its schema, or else by its name.
func KindOf(s Source) string {
	if m := schemaLine.FindSubmatch(s.Text); m != nil {
		return map[string]string{"plan": KindPlan, "plan-tech": KindTech, "people": KindPeople}[string(m[1])]
	}
	switch {
	case strings.HasSuffix(s.Name, techSuffix):
		return KindTech
	case strings.HasSuffix(s.Name, "people.yaml"):
		return KindPeople
	}
	return KindPlan
}

// Format mends what a file's author can't have meant: characters that can't be
// seen, full-width punctuation and special spaces where ASCII is needed, spaces
// at line ends, foreign line ends. It keeps comments and the meaning of every
// text. found are what it mended, at their places in the file as it was.
func Format(s Source) (text []byte, found []yamldoc.Problem) {
	kind := KindOf(s)
	text, found = yamldoc.Visible(s.Name, s.Text)
	moved := found
	if bytes.HasPrefix(s.Text, []byte("\ufeff")) {
		moved = found[min(1, len(found)):] // a file's mark stands in no column
	}
	found = merged(found, moved, wideProblems(Source{s.Name, text}, kind))
	text = yamldoc.Mend(text)
	for range maxRounds {
		wrong := wideProblems(Source{s.Name, text}, kind)
		if len(wrong) == 0 {
			break
		}
		text = replace(text, wrong)
	}
	if tidy := trimmed(text); yamldoc.Same(text, tidy) {
		text = tidy
	}
	return text, found
}

// merged puts what was found in a text without its invisible characters among
// these, at the places of the text with them; moved are those that took a
// column.
func merged(gone, moved, found []yamldoc.Problem) []yamldoc.Problem {
	for i := range found {
		for _, g := range moved {
			if g.Line == found[i].Line && g.Column <= found[i].Column {
				found[i].Column++
			}
		}
	}
	all := append(slices.Clone(gone), found...)
	slices.SortStableFunc(all, func(a, b yamldoc.Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return all
}

// maxRounds bounds how often values are mended: one that was mended may show
// the next.
const maxRounds = 100

func wideProblems(s Source, kind string) []yamldoc.Problem {
	table, language := tableOf(kind)
	r := read(s, language, reflect.New(table).Interface())
	return slices.DeleteFunc(r.settle(), func(p yamldoc.Problem) bool { return !strings.HasPrefix(p.ID, "config.full-width") })
}

// replace puts the right character at the place of each problem, from the last
// to the first.
func replace(text []byte, problems []yamldoc.Problem) []byte {
	lines := yamldoc.SplitLines(text)
	slices.SortStableFunc(problems, func(a, b yamldoc.Problem) int {
		return cmp.Or(cmp.Compare(b.Line, a.Line), cmp.Compare(b.Column, a.Column))
	})
	for _, p := range problems {
		runes := []rune(lines[p.Line-1])
		from, to := p.Column-1, min(p.Column-1+p.Length, len(runes))
		if from >= to {
			continue
		}
		right := strings.Repeat(p.Args["right"].(string), to-from)
		lines[p.Line-1] = string(runes[:from]) + right + string(runes[to:])
	}
	return []byte(strings.Join(lines, "\n"))
}

func trimmed(text []byte) []byte {
	lines := yamldoc.SplitLines(text)
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t\u3000\u00a0")
	}
	return append(bytes.TrimRight([]byte(strings.Join(lines, "\n")), "\n"), '\n')
}
