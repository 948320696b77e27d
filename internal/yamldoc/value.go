package yamldoc

import "holdfast/internal/continuity"

// Place is where something stands in the file. Lines and columns count from 1,
// columns and lengths in characters.
type Place struct{ Line, Column, Length int }

// Mark is the part that every mapping of the document shares.
type Mark struct {
	At  Place // the field's name, or the block's first field
	Set bool  // the block is in the file
}

func (b *Mark) mark(at Place) { b.At, b.Set = at, true }

// Value is a field that holds one scalar.
type Value[T any] struct {
	V    T
	At   Place
	Text string // as in the file, or as the default is written
	Set  bool   // the field is in the file, not a default
}

// Scalar is a Value of any type.
type Scalar interface {
	assign(parsed any, text string)
	mark(at Place)
}

func (v *Value[T]) assign(parsed any, text string) { v.V, v.Text = parsed.(T), text }
func (v *Value[T]) mark(at Place)                  { v.At, v.Set = at, true }

// List is a field that holds one scalar or a list of them.
type List[T any] struct {
	At    Place
	Set   bool
	Bad   bool // an item could not be read
	Items []Value[T]
}

// Scalars is a List of any type.
type Scalars interface {
	mark(at Place)
	add(parsed any, text string, at Place)
	spoil()
}

func (l *List[T]) mark(at Place) { l.At, l.Set = at, true }
func (l *List[T]) spoil()        { l.Bad = true }

func (l *List[T]) add(parsed any, text string, at Place) {
	l.Items = append(l.Items, Value[T]{V: parsed.(T), At: at, Text: text, Set: true})
}

// Values are what the list holds, nil where it is absent.
func (l *List[T]) Values() []T {
	var out []T
	for _, item := range l.Items {
		out = append(out, item.V)
	}
	return out
}

// HeaderMap is a field that maps header names to texts, in the file's order.
type HeaderMap struct {
	At    Place
	Set   bool
	Items []continuity.Field
	Ats   []Place // of each name
}
