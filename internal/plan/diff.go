package plan

import (
	"reflect"
	"slices"
	"strings"

	"holdfast/internal/yamldoc"
)

// ChangeKind says what became of a part of a plan.
type ChangeKind string

// The kinds of changes.
const (
	Added   ChangeKind = "added"
	Removed ChangeKind = "removed"
	Changed ChangeKind = "changed"
	Moved   ChangeKind = "moved" // the order of entries
)

// Change is one difference. Where are the names on the way to it: sections,
// stable ids, fields.
type Change struct {
	Kind  ChangeKind `json:"kind"`
	Where []string   `json:"where"`
	From  string     `json:"from,omitempty"`
	To    string     `json:"to,omitempty"`
}

// Diff compares two files of one kind. Entries are the same if their ids are,
// wherever they stand; values if they mean the same, however they are written.
// A file that can't be read has problems instead.
func Diff(before, after Source) ([]Change, []yamldoc.Problem) {
	table, language := tableOf(KindOf(after))
	d := &differ{language: language}
	var roots []*yamldoc.Node
	var problems []yamldoc.Problem
	for _, s := range []Source{before, after} {
		f := yamldoc.NewFindings(s.Name)
		root, lines := yamldoc.Read(f, s.Text)
		if root != nil {
			language.Decode(f, root, reflect.New(table).Interface())
		}
		for _, p := range f.Settle(lines) {
			if p.Severity == yamldoc.Error {
				problems = append(problems, p)
			}
		}
		roots = append(roots, root)
	}
	if problems == nil {
		d.block(nil, table, roots[0], roots[1])
	}
	return d.changes, problems
}

type differ struct {
	language *yamldoc.Language
	changes  []Change
}

func (d *differ) add(kind ChangeKind, where []string, from, to string) {
	d.changes = append(d.changes, Change{kind, slices.Clone(where), from, to})
}

// block compares two mappings field by field, in the order of the table.
func (d *differ) block(where []string, t reflect.Type, a, b *yamldoc.Node) {
	for i := range t.NumField() {
		field := t.Field(i)
		if name := field.Tag.Get("yaml"); name != "" {
			d.field(append(slices.Clone(where), name), field.Type, field.Tag, child(a, name), child(b, name))
		}
	}
}

func child(n *yamldoc.Node, name string) *yamldoc.Node {
	for _, p := range n.Pairs {
		if p.Key.Text == name {
			return p.Value
		}
	}
	return nil
}

func (d *differ) field(where []string, t reflect.Type, tag reflect.StructTag, a, b *yamldoc.Node) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case a == nil && b == nil:
	case t.Kind() == reflect.Map:
		d.entries(where, t.Elem(), tag, members(a), members(b))
	case t.Kind() == reflect.Slice && tag.Get("kind") == "" && identified(t.Elem()):
		name := t.Elem().Field(0).Tag.Get("yaml")
		d.entries(where, t.Elem(), "", listed(a, name), listed(b, name))
	case a == nil:
		d.add(Added, where, "", oneLine(b))
	case b == nil:
		d.add(Removed, where, oneLine(a), "")
	case t.Kind() == reflect.Struct && tag.Get("kind") == "" && t != typeOfText && t != typeOfRaw &&
		a.Kind == yamldoc.MappingNode && b.Kind == yamldoc.MappingNode:
		d.block(where, t, a, b)
	case !d.same(t, tag, a, b):
		d.add(Changed, where, oneLine(a), oneLine(b))
	}
}

// identified reports whether a list's entries have a stable id.
func identified(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.NumField() > 0 && (t.Field(0).Name == "ID" || t.Field(0).Name == "Process")
}

// same reports whether two values mean the same.
func (d *differ) same(t reflect.Type, tag reflect.StructTag, a, b *yamldoc.Node) bool {
	if t == typeOfText {
		return both(a) == both(b)
	}
	if kind, ok := d.language.Kinds[tag.Get("kind")]; ok && a.Kind == yamldoc.ScalarNode && b.Kind == yamldoc.ScalarNode {
		x, _ := kind.Parse(a.Text, tag)
		y, _ := kind.Parse(b.Text, tag)
		return reflect.DeepEqual(x, y)
	}
	return oneLine(a) == oneLine(b)
}

func both(n *yamldoc.Node) Text {
	if n.Kind == yamldoc.ScalarNode {
		return Text{n.Text, n.Text}
	}
	var t Text
	if en := child(n, "en"); en != nil {
		t.En = en.Text
	}
	if zh := child(n, "zh"); zh != nil {
		t.Zh = zh.Text
	}
	return t
}

type entry struct {
	id   string
	node *yamldoc.Node
}

func members(n *yamldoc.Node) []entry {
	var out []entry
	if n != nil {
		for _, p := range n.Pairs {
			out = append(out, entry{p.Key.Text, p.Value})
		}
	}
	return out
}

func listed(n *yamldoc.Node, name string) []entry {
	var out []entry
	if n != nil {
		for _, item := range n.Items {
			if id := child(item, name); id != nil {
				out = append(out, entry{id.Text, item})
			}
		}
	}
	return out
}

// entries compares what is known by its id.
func (d *differ) entries(where []string, t reflect.Type, tag reflect.StructTag, a, b []entry) {
	find := func(in []entry, id string) *yamldoc.Node {
		for _, e := range in {
			if e.id == id {
				return e.node
			}
		}
		return nil
	}
	var wereIn, areIn []string // of those in both
	for _, e := range a {
		if find(b, e.id) == nil {
			d.add(Removed, append(slices.Clone(where), e.id), oneLine(e.node), "")
		} else {
			wereIn = append(wereIn, e.id)
		}
	}
	for _, e := range b {
		at := append(slices.Clone(where), e.id)
		if was := find(a, e.id); was == nil {
			d.add(Added, at, "", oneLine(e.node))
		} else {
			areIn = append(areIn, e.id)
			d.field(at, t, tag, was, e.node)
		}
	}
	if !slices.Equal(wereIn, areIn) && tag == "" {
		d.add(Moved, where, strings.Join(wereIn, ", "), strings.Join(areIn, ", "))
	}
}

// oneLine writes a part of a plan on one line.
func oneLine(n *yamldoc.Node) string {
	var parts []string
	switch n.Kind {
	case yamldoc.MappingNode:
		for _, p := range n.Pairs {
			parts = append(parts, p.Key.Text+": "+oneLine(p.Value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case yamldoc.SequenceNode:
		for _, item := range n.Items {
			parts = append(parts, oneLine(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return strings.ReplaceAll(strings.TrimSpace(n.Text), "\n", " ")
}
