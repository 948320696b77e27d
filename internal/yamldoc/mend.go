package yamldoc

import (
	"reflect"
	"strings"
)

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
