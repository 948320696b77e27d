package config

import "holdfast/internal/continuity"

// place is where something stands in the file. Lines and columns count from 1,
// columns and lengths in characters.
type place struct{ line, column, length int }

// block is the part that every mapping of the document shares.
type block struct {
	at  place // the field's name, or the block's first field
	set bool  // the block is in the file
}

func (b *block) mark(at place) { b.at, b.set = at, true }

// value is a field that holds one scalar.
type value[T any] struct {
	V    T
	at   place
	text string // as in the file, or as the default is written
	set  bool   // the field is in the file, not a default
}

// scalar is a value of any type.
type scalar interface {
	assign(parsed any, text string)
	mark(at place)
}

func (v *value[T]) assign(parsed any, text string) { v.V, v.text = parsed.(T), text }
func (v *value[T]) mark(at place)                  { v.at, v.set = at, true }

// list is a field that holds one scalar or a list of them.
type list[T any] struct {
	at    place
	set   bool
	bad   bool // an item could not be read
	items []value[T]
}

// scalars is a list of any type.
type scalars interface {
	mark(at place)
	add(parsed any, text string, at place)
	spoil()
}

func (l *list[T]) mark(at place) { l.at, l.set = at, true }
func (l *list[T]) spoil()        { l.bad = true }

func (l *list[T]) add(parsed any, text string, at place) {
	l.items = append(l.items, value[T]{V: parsed.(T), at: at, text: text, set: true})
}

func (l *list[T]) values() []T {
	var out []T
	for _, item := range l.items {
		out = append(out, item.V)
	}
	return out
}

// fields is a field that maps header names to texts, in the file's order.
type fields struct {
	at    place
	set   bool
	items []continuity.Field
	ats   []place // of each name
}
