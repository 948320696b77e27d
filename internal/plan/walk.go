package plan

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"holdfast/internal/yamldoc"
)

// walk visits every field of a document that has a tag, those within blocks
// after their block; where is its path with indexes, as in Places.
func walk(v reflect.Value, where string, visit func(where string, tag reflect.StructTag, v reflect.Value)) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name := field.Tag.Get("yaml")
		if name == "" {
			continue
		}
		at := yamldoc.Below(where, name)
		visit(at, field.Tag, v.Field(i))
		if field.Tag.Get("kind") == "" {
			inside(v.Field(i), at, visit)
		}
	}
}

func inside(v reflect.Value, where string, visit func(string, reflect.StructTag, reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			inside(v.Elem(), where, visit)
		}
	case reflect.Struct:
		if v.Type() != typeOfRaw {
			walk(v, where, visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			inside(v.Index(i), where+"["+strconv.Itoa(i)+"]", visit)
		}
	case reflect.Map:
		for _, key := range slices.Sorted(maps.Keys(keysOf(v))) {
			inside(v.MapIndex(reflect.ValueOf(key)), where+"."+key, visit)
		}
	}
}

func keysOf(v reflect.Value) map[string]bool {
	names := map[string]bool{}
	for _, key := range v.MapKeys() {
		names[key.String()] = true
	}
	return names
}

// entries are what is defined under one word.
type entries struct {
	in    *reading
	at    map[string]yamldoc.Place
	used  map[string]bool
	names []string // in the file's order
}

func (e *entries) has(name string) bool {
	if e == nil {
		return false
	}
	_, ok := e.at[name]
	return ok
}

// define collects what a document defines and reports what it defines twice.
func define(r *reading, doc any, into map[string]*entries) {
	walk(reflect.ValueOf(doc).Elem(), "", func(where string, tag reflect.StructTag, v reflect.Value) {
		word := tag.Get("ids")
		if word == "" {
			return
		}
		e := into[word]
		if e == nil || strings.HasPrefix(word, ".") { // of this list alone
			e = &entries{in: r, at: map[string]yamldoc.Place{}, used: map[string]bool{}}
			into[word] = e
		}
		for _, name := range named(v, where) {
			if name.text == "" {
				continue
			}
			at := r.places[name.where]
			if first, twice := e.at[name.text]; twice {
				r.Error(at, "plan.twice", "id", name.text, "line", first.Line)
				continue
			}
			e.at[name.text] = at
			e.names = append(e.names, name.text)
		}
	})
}

type nameAt struct{ text, where string }

// named are the names of a list's or map's entries: that of an entry of a list
// stands in its first field.
func named(v reflect.Value, where string) []nameAt {
	var out []nameAt
	if v.Kind() == reflect.Map {
		for _, key := range slices.Sorted(maps.Keys(keysOf(v))) {
			out = append(out, nameAt{key, where + "." + key})
		}
		return out
	}
	for i := range v.Len() {
		field := v.Type().Elem().Field(0)
		at := where + "[" + strconv.Itoa(i) + "]." + field.Tag.Get("yaml")
		out = append(out, nameAt{v.Index(i).Field(0).String(), at})
	}
	return out
}

// refer checks what a document's fields name.
func (c *checker) refer(r *reading, doc any) {
	walk(reflect.ValueOf(doc).Elem(), "", func(where string, tag reflect.StructTag, v reflect.Value) {
		ref := tag.Get("ref")
		if ref == "" || v.IsZero() {
			return
		}
		if v.Kind() != reflect.Slice {
			c.reference(r, r.places[where], where, ref, v.String())
			return
		}
		for i := range v.Len() {
			if text := v.Index(i).String(); text != "" {
				at := where + "[" + strconv.Itoa(i) + "]"
				c.reference(r, r.places[at], where, ref, text)
			}
		}
	})
}

// reference checks one name against the words under which it may be defined.
func (c *checker) reference(r *reading, at yamldoc.Place, where, ref, name string) {
	words := strings.Split(ref, "|")
	for _, word := range words {
		if e := c.entries[word]; e.has(name) {
			e.used[name] = true
			if word == "people" {
				c.leaver(r, at, name)
			}
			return
		}
	}
	if r.Full() {
		return // to look among thousands of names for what was meant takes its time
	}
	var known []string
	for _, word := range words {
		if e := c.entries[word]; e != nil {
			known = append(known, e.names...)
		}
	}
	field := spoken(where)
	if c.plan.Tech == nil && slices.ContainsFunc(words, func(w string) bool { return slices.Contains(techWords, w) }) {
		r.Error(at, "plan.no-tech", "field", field, "value", name, "file", TechName(c.plan.File))
		return
	}
	if slices.Equal(words, []string{"people"}) {
		if c.people != nil {
			c.unknownPerson(r, at, field, name)
			return
		}
		if near, ok := yamldoc.Nearest(name, known); !ok || near == name {
			return // nobody said who there is
		}
	}
	if near, ok := yamldoc.Nearest(name, known); ok {
		r.Error(at, "plan.undefined-near", "field", field, "value", name, "section", words, "near", near)
		return
	}
	r.Error(at, "plan.undefined", "field", field, "value", name, "section", words)
}

// techWords are defined in the technical file.
var techWords = []string{"checks", "measures", "routes", "accounts"}

// spoken is a path as people say it: without indexes, the last two parts.
func spoken(where string) string {
	var parts []string
	for _, part := range strings.Split(where, ".") {
		name, _, _ := strings.Cut(part, "[")
		parts = append(parts, name)
	}
	return strings.Join(parts[max(0, len(parts)-2):], ".")
}
