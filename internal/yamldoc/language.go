package yamldoc

import (
	"io"
	"os"
	"reflect"
)

// Language is what is particular to one kind of document.
type Language struct {
	Name  string // of the file, as people say it: relay.yaml
	Kinds map[string]Kind
	// Roots are the paths of lists whose entries people name by their fields
	// alone: "routes" makes of routes.hold.age hold.age.
	Roots []string
	// Entries are the paths, as shown, of further lists of blocks.
	Entries []string
	// Later are the paths of what Holdfast has words for but this version does
	// not do.
	Later []string
	// Secret reports a secret written where a reference to one belongs, and
	// whether it did. It may be nil.
	Secret func(f *Findings, path string, n *Node) bool
}

// Kind says how a scalar's text is read and what JSON Schema says of it.
type Kind struct {
	Parse  func(text string, tag reflect.StructTag) (any, *Fault)
	Schema func(tag reflect.StructTag) map[string]any
	// Free texts may hold anything, full-width punctuation too.
	Free bool
}

// Fault is what is wrong with a text: a message id and where in the text.
type Fault struct {
	ID     string
	From   int // in characters
	Length int // 0: to the end
	Args   []any
}

// Wrong makes a fault of a whole text.
func Wrong(id string, args ...any) *Fault { return &Fault{ID: id, Args: args} }

// Read takes a text through all steps before decoding. root is nil where there
// is nothing to decode.
func Read(f *Findings, src []byte) (root *Node, lines []string) {
	lines, ok := readSource(f, src)
	if !ok {
		return nil, lines
	}
	mended, moved := scan(f, lines)
	for _, p := range f.problems {
		if p.ID == "config.tab" { // what a tab was meant to be can't be known
			return nil, lines
		}
	}
	root, ok = parse(f, mended, moved)
	if !ok {
		return nil, lines
	}
	return root, lines
}

// ReadFile reads a file's text: a little more than is allowed, so that a huge
// file is refused without being read whole. Errors are those of package os.
func ReadFile(path string) ([]byte, error) {
	file, err := os.Open(path) // #nosec G304 -- the operator names the file
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, MaxSize+1))
}
