package yamldoc

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// NodeKind says what a Node is.
type NodeKind uint8

// The kinds of nodes.
const (
	EmptyNode NodeKind = iota // absent, null or ~
	ScalarNode
	MappingNode
	SequenceNode
)

// Node is a part of the file. Scalars stay the text that they were: what a
// value is decides the field that it stands in, never its looks.
type Node struct {
	Kind   NodeKind
	At     Place
	Text   string
	Quoted bool
	Pairs  []Pair
	Items  []*Node
}

// Pair is one field of a mapping.
type Pair struct{ Key, Value *Node }

const (
	maxDepth = 16   // the deepest field stands at 6
	maxKeys  = 1024 // in one mapping; guards a parser whose time grows with their square
)

// parse turns the mended lines into a tree, or reports why it can't.
func parse(f *Findings, lines []string, moved shifts) (root *Node, ok bool) {
	defer func() {
		if recover() != nil { // the parser's own mistake; the file is odd all the same
			f.Error(Place{1, 1, 1}, "config.syntax")
			root, ok = nil, false
		}
	}()
	tokens := lexer.Tokenize(strings.Join(lines, "\n"))
	t := &tree{Findings: f, moved: moved}
	if !t.guard(tokens) {
		return nil, false
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		t.syntax(err, lines)
		return nil, false
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil {
			body = doc.Body
			break
		}
	}
	if body == nil {
		f.Error(Place{1, 1, 1}, "config.empty")
		return nil, false
	}
	root = t.node(body)
	return root, !f.Failed() || root.Kind == MappingNode
}

// tree builds nodes of the parser's syntax tree.
type tree struct {
	*Findings
	moved shifts
}

func (t *tree) place(tk *token.Token, length int) Place {
	if tk == nil || tk.Position == nil {
		return Place{1, 1, 1}
	}
	return t.moved.back(Place{tk.Position.Line, tk.Position.Column, length})
}

// guard refuses, before anything is parsed or expanded, what a configuration
// has no use for.
func (t *tree) guard(tokens token.Tokens) bool {
	type level struct {
		column int // of a block; 0: a flow
		keys   int
	}
	var open []level
	begin := len(t.problems)
	documents, content, anchored := 0, false, 0
	for i, tk := range tokens {
		column := tk.Position.Column
		switch tk.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			if at := t.place(tk, 1); at.Line != anchored { // once a line
				t.Error(at, "config.anchor")
				anchored = at.Line
			}
		case token.MappingKeyType:
			t.Error(t.place(tk, 1), "config.question")
		case token.TagType:
			t.Error(t.place(tk, utf8.RuneCountInString(tk.Value)), "config.tag")
		case token.DirectiveType:
			t.Error(t.place(tk, 1), "config.directive")
			return false
		case token.DocumentHeaderType:
			documents++
			if content || documents > 1 {
				t.Error(t.place(tk, 3), "config.documents")
				return false
			}
		case token.CommentType, token.DocumentEndType:
			continue
		case token.MappingStartType, token.SequenceStartType:
			open = append(open, level{})
		case token.MappingEndType, token.SequenceEndType:
			for n := len(open); n > 0; n = len(open) {
				flow := open[n-1].column == 0
				open = open[:n-1]
				if flow {
					break
				}
			}
		case token.SequenceEntryType, token.MappingValueType:
			if tk.Type == token.MappingValueType && i > 0 {
				column = tokens[i-1].Position.Column
			}
			if n := len(open); n == 0 || open[n-1].column != 0 {
				for n > 0 && open[n-1].column > column {
					n--
				}
				open = open[:n]
				if n == 0 || open[n-1].column < column {
					open = append(open, level{column: column})
				}
			}
			top := &open[len(open)-1]
			if tk.Type == token.MappingValueType {
				top.keys++
			}
			if top.keys > maxKeys {
				t.Error(t.place(tk, 1), "config.too-many", "max", maxKeys)
				return false
			}
		}
		content = content || tk.Type != token.DocumentHeaderType
		if len(open) > maxDepth {
			t.Error(t.place(tk, 1), "config.too-deep", "max", maxDepth)
			return false
		}
	}
	return len(t.problems) == begin
}

// syntax reports where YAML itself went wrong. Of the parser's messages the
// common ones have words of their own.
func (t *tree) syntax(err error, lines []string) {
	var syntax yaml.Error
	if !errors.As(err, &syntax) {
		t.Error(Place{1, 1, 1}, "config.syntax")
		return
	}
	at := t.place(syntax.GetToken(), 1)
	if at.Line <= len(lines) {
		runes := []rune(lines[at.Line-1])
		at.Length = max(len([]rune(strings.TrimRight(string(runes[min(at.Column-1, len(runes)):]), " "))), 1)
	}
	message := syntax.GetMessage()
	for _, known := range []struct{ part, id string }{
		{"could not find end character", "config.unclosed-quote"},
		{"end token", "config.unclosed-bracket"},
		{"must be specified", "config.unclosed-bracket"},
		{"could not find flow map", "config.unclosed-bracket"},
		{"mapping value is not allowed", "config.second-colon"},
		{"unexpected key name", "config.no-colon"},
		{"is not allowed in this context", "config.indentation"},
	} {
		if !strings.Contains(message, known.part) {
			continue
		}
		if known.id != "config.unclosed-quote" || !t.wideQuote(at, lines) {
			t.Error(at, known.id)
		}
		return
	}
	t.Error(at, "config.syntax")
}

// wideQuote reports a full-width quote that was meant to close an open one.
func (t *tree) wideQuote(at Place, lines []string) bool {
	if at.Line > len(lines) {
		return false
	}
	for i, r := range []rune(lines[at.Line-1]) {
		if a, ok := plain(r); ok && i >= at.Column && (a == '"' || a == '\'') {
			reportWide(t.Findings, t.moved.back(Place{at.Line, i + 1, 1}), r, a)
			return true
		}
	}
	return false
}

func (t *tree) node(n ast.Node) *Node {
	switch n := n.(type) {
	case nil:
		return &Node{Kind: EmptyNode, At: Place{1, 1, 1}}
	case *ast.NullNode: // absent, or written as null or ~
		return &Node{Kind: EmptyNode, At: t.place(n.GetToken(), 1)}
	case *ast.MappingNode:
		out := &Node{Kind: MappingNode, At: t.place(n.GetToken(), 1)}
		for _, v := range n.Values {
			out.Pairs = append(out.Pairs, Pair{t.node(v.Key), t.node(v.Value)})
		}
		if len(out.Pairs) > 0 {
			out.At = out.Pairs[0].Key.At
		}
		return out
	case *ast.MappingValueNode:
		out := &Node{Kind: MappingNode, Pairs: []Pair{{t.node(n.Key), t.node(n.Value)}}}
		out.At = out.Pairs[0].Key.At
		return out
	case *ast.SequenceNode:
		out := &Node{Kind: SequenceNode, At: t.place(n.GetToken(), 1)}
		for _, v := range n.Values {
			out.Items = append(out.Items, joined(v, t.node(v)))
		}
		return out
	case *ast.LiteralNode:
		out := &Node{Kind: ScalarNode, Quoted: true, At: t.place(n.GetToken(), 1)}
		if n.Value != nil {
			out.Text = n.Value.Value
		}
		return out
	}
	return t.scalar(n.GetToken())
}

// joined undoes a quirk of the parser: inside { } it takes a list's a:b for a
// mapping, though without a space after the colon that is one text.
func joined(in ast.Node, n *Node) *Node {
	if m, ok := in.(*ast.MappingNode); n.Kind != MappingNode || len(n.Pairs) != 1 || ok && m.IsFlowStyle {
		return n
	}
	key, value := n.Pairs[0].Key, n.Pairs[0].Value
	tight := value.At.Line == key.At.Line && value.At.Column == key.At.Column+key.At.Length+1
	if key.Kind != ScalarNode || value.Kind != ScalarNode || key.Quoted || value.Quoted || !tight {
		return n
	}
	at := Place{key.At.Line, key.At.Column, key.At.Length + 1 + value.At.Length}
	return &Node{Kind: ScalarNode, At: at, Text: key.Text + ":" + value.Text}
}

// scalar keeps the text as it stands in the file, but for quotes and escapes.
func (t *tree) scalar(tk *token.Token) *Node {
	if tk == nil {
		return &Node{Kind: EmptyNode, At: Place{1, 1, 1}}
	}
	quoted := tk.Type == token.SingleQuoteType || tk.Type == token.DoubleQuoteType
	length := utf8.RuneCountInString(strings.SplitN(strings.TrimSpace(tk.Origin), "\n", 2)[0])
	return &Node{Kind: ScalarNode, At: t.place(tk, max(length, 1)), Text: tk.Value, Quoted: quoted}
}
