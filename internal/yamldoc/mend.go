package yamldoc

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible takes out of a text what can't be seen: zero-width characters, marks
// of direction and of byte order. What parts lines without being one's end
// becomes a space. gone are the findings, at the places where they stood. A
// text that can't be read comes back unchanged.
func Visible(file string, src []byte) (text []byte, gone []Problem) {
	if len(src) > MaxSize || !utf8.Valid(src) {
		return src, nil
	}
	f := NewFindings(file)
	var out strings.Builder
	rest := string(src)
	if after, marked := strings.CutPrefix(rest, "\ufeff"); marked {
		f.Error(Place{1, 1, 1}, "config.character", "code", "U+FEFF")
		rest = after
	}
	here := Place{1, 1, 1}
	for _, r := range rest {
		switch {
		case r == '\n':
			out.WriteRune(r)
			here = Place{here.Line + 1, 1, 1}
			continue
		case invisible(r):
			f.Error(here, "config.character", "code", fmt.Sprintf("U+%04X", r))
			if !unicode.Is(unicode.Cf, r) {
				out.WriteByte(' ')
			}
		default:
			out.WriteRune(r)
		}
		here.Column++
	}
	return []byte(out.String()), f.problems
}

// Mend replaces full-width punctuation where YAML needs ASCII; everything else
// stays as it is, comments too. A text that can't be read comes back unchanged.
func Mend(src []byte) []byte {
	f := NewFindings("")
	lines, ok := readSource(f, src)
	if !ok {
		return src
	}
	mended, _ := scan(f, lines)
	for _, p := range f.problems {
		if p.ID == "config.tab" {
			return src
		}
	}
	return []byte(strings.Join(mended, "\n"))
}

// Same reports whether two texts say the same, wherever it stands.
func Same(a, b []byte) bool {
	first, _ := Read(NewFindings(""), a)
	second, _ := Read(NewFindings(""), b)
	return first != nil && second != nil && reflect.DeepEqual(bare(first), bare(second))
}

// bare is a tree without its places.
func bare(n *Node) *Node {
	out := &Node{Kind: n.Kind, Text: n.Text}
	for _, p := range n.Pairs {
		out.Pairs = append(out.Pairs, Pair{bare(p.Key), bare(p.Value)})
	}
	for _, item := range n.Items {
		out.Items = append(out.Items, bare(item))
	}
	return out
}
