package yamldoc

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"holdfast/internal/continuity"
)

// Decoder walks the tree and the tagged structs together.
type Decoder struct {
	*Findings
	lang   *Language
	places Places
	where  string // the path with indexes, for places
}

// Places tells where the parts of a document stand, by path with indexes:
// "routes[0].hold.age" is where a value stands, "routes[0]" a block. Fields that
// are absent have none.
type Places map[string]Place

// At is where a path stands, or the block that lacks it.
func (p Places) At(path string) Place {
	for path != "" {
		if at, ok := p[path]; ok {
			return at
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	if at, ok := p[""]; ok {
		return at
	}
	return Place{Line: 1, Column: 1, Length: 1}
}

// Decode fills into, a pointer to a tagged struct, from the root; what is wrong
// goes to the findings.
func (l *Language) Decode(f *Findings, root *Node, into any) Places {
	d := &Decoder{Findings: f, lang: l, places: Places{}}
	d.block(reflect.ValueOf(into).Elem(), root, "", root.At)
	return d.places
}

// at takes a step of the path with indexes for the time of f.
func (d *Decoder) at(step string, f func()) {
	before := d.where
	if d.where != "" && step[0] != '[' {
		step = "." + step
	}
	d.where += step
	f()
	d.where = before
}

// defaults fills every absent field of a struct that has a default.
func (d *Decoder) defaults(v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Tag.Get("yaml") == "" {
			continue // the embedded mark
		}
		text, has := field.Tag.Lookup("default")
		switch target := v.Field(i).Addr().Interface().(type) {
		case Scalar:
			if has {
				target.assign(d.lang.mustParse(field.Tag, text), text)
			}
		case Scalars:
			if has {
				v.Field(i).Set(reflect.Zero(field.Type)) // a block within a block comes here once for each
				target.add(d.lang.mustParse(field.Tag, text), text, Place{})
			}
		case *HeaderMap, *Raw:
		default:
			switch {
			case has && field.Type.Kind() == reflect.Slice:
				one := reflect.New(field.Type.Elem()).Elem()
				put(one, d.lang.mustParse(field.Tag, text))
				v.Field(i).Set(reflect.Append(reflect.Zero(field.Type), one))
			case has:
				put(v.Field(i), d.lang.mustParse(field.Tag, text))
			case field.Type.Kind() == reflect.Struct && field.Tag.Get("kind") == "":
				d.defaults(v.Field(i))
			}
		}
	}
}

// mustParse reads a default; a test reads them all.
func (l *Language) mustParse(tag reflect.StructTag, text string) any {
	parsed, bad := l.Kinds[tag.Get("kind")].Parse(text, tag)
	if bad != nil {
		panic(l.Name + ": default " + text + ": " + bad.ID)
	}
	return parsed
}

// put stores a parsed value in a plain field.
func put(v reflect.Value, parsed any) {
	if v.Kind() == reflect.Pointer { // so that zero differs from nothing
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	v.Set(reflect.ValueOf(parsed).Convert(v.Type()))
}

// root reports whether a path is one at which names begin anew.
func (l *Language) root(path string) bool { return path == "" || slices.Contains(l.Roots, path) }

// within joins a path and a name, as people say it.
func (l *Language) within(path, name string) string {
	if l.root(path) {
		return name
	}
	return path + "." + name
}

// Shorthand is a block in whose place one word may stand.
type Shorthand interface{ Short(f *Findings, n *Node) }

// block decodes one mapping. at is where its name stands.
func (d *Decoder) block(v reflect.Value, n *Node, path string, at Place) {
	d.defaults(v)
	marked := at
	if n.Kind == MappingNode && d.lang.root(path) {
		marked = n.At
	}
	d.places[d.where] = marked
	if m, ok := v.Addr().Interface().(interface{ mark(Place) }); ok {
		m.mark(marked)
	}
	switch n.Kind {
	case MappingNode:
		d.members(v, n, path, marked)
	case EmptyNode: // "answer:" alone: every field has its default
		if d.lang.root(path) {
			d.notA(d.notBlock(path), path, n)
		}
	case ScalarNode:
		if d.shorthand(v, n, path, at) || d.lang.Secret != nil && d.lang.Secret(d.Findings, path, n) {
			return
		}
		fallthrough
	default:
		d.notA(d.notBlock(path), path, n)
	}
}

// shorthand reads a block that is written as one value.
func (d *Decoder) shorthand(v reflect.Value, n *Node, path string, at Place) bool {
	if short, ok := v.Addr().Interface().(Shorthand); ok {
		short.Short(d.Findings, n)
		return true
	}
	i, ok := shortField(v.Type())
	if ok {
		d.field(v.Field(i), v.Type().Field(i).Tag, n, path, at)
	}
	return ok
}

// members decodes the fields of a mapping.
func (d *Decoder) members(v reflect.Value, n *Node, path string, marked Place) {
	names := fieldNames(v.Type())
	seen := map[string]Place{}
	for _, p := range n.Pairs {
		name := p.Key.Text
		if p.Key.Kind != ScalarNode {
			d.Error(p.Key.At, "config.not-name")
			continue
		}
		index, known := names[name]
		if !known {
			d.unknown(v.Type(), name, path, p.Key.At)
			continue
		}
		if first, twice := seen[name]; twice {
			d.Error(p.Key.At, "config.twice", "field", d.lang.within(path, name), "line", first.Line)
			continue
		}
		seen[name] = p.Key.At
		d.at(name, func() {
			d.field(v.Field(index), v.Type().Field(index).Tag, p.Value, d.lang.within(path, name), p.Key.At)
		})
	}
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		if name := tag.Get("yaml"); tag.Get("required") == "true" {
			if _, ok := seen[name]; !ok {
				d.missing(path, name, tag, marked)
			}
		}
	}
}

func (d *Decoder) missing(path, name string, tag reflect.StructTag, at Place) {
	example := tag.Get("example")
	if example == "" {
		d.Error(at, "config.missing-block", "field", d.lang.within(path, name), "name", name)
		return
	}
	d.Error(at, "config.missing", "field", d.lang.within(path, name), "name", name, "example", example)
}

// fieldNames maps the fields of a struct to their indexes.
func fieldNames(t reflect.Type) map[string]int {
	names := make(map[string]int, t.NumField())
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("yaml"); name != "" {
			names[name] = i
		}
	}
	return names
}

// unknown reports a field that does not exist here, with the one that was
// likely meant.
func (d *Decoder) unknown(t reflect.Type, name, path string, at Place) {
	if offset, found, meant, ok := wide(name); ok {
		reportWide(d.Findings, Place{at.Line, at.Column + offset, 1}, found, meant)
		return
	}
	if slices.Contains(d.lang.Later, d.lang.within(path, name)) {
		d.Error(at, "config.later", "field", d.lang.within(path, name))
		return
	}
	if integer.MatchString(name) { // {count: 200,000}
		d.Error(at, "config.separator", "value", name)
		return
	}
	var names []string
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("yaml"); name != "" {
			names = append(names, name)
		}
	}
	if near, ok := Nearest(strings.ReplaceAll(strings.ToLower(name), "-", "_"), names); ok {
		d.Error(at, "config.unknown-near", "field", d.lang.within(path, name), "near", near)
		return
	}
	d.Error(at, "config.unknown", "field", d.lang.within(path, name), "words", names)
}

func (d *Decoder) field(v reflect.Value, tag reflect.StructTag, n *Node, path string, at Place) {
	d.places[d.where] = valueAt(n, at)
	switch target := v.Addr().Interface().(type) {
	case Scalar:
		if parsed, ok := d.scalar(tag, n, path, at); ok {
			target.assign(parsed, n.Text)
		}
		target.mark(valueAt(n, at))
	case Scalars:
		v.Set(reflect.Zero(v.Type())) // without its default
		target.mark(valueAt(n, at))
		for _, item := range d.items(n, path) {
			if parsed, ok := d.scalar(tag, item, path, at); ok {
				target.add(parsed, item.Text, item.At)
			} else {
				target.spoil()
			}
		}
	case *HeaderMap:
		d.headers(target, tag, n, path, at)
	case *Raw:
		target.Node = n
	default:
		d.plain(v, tag, n, path, at)
	}
}

// items are the values of a list, or the one in its place.
func (d *Decoder) items(n *Node, path string) []*Node {
	if n.Kind != SequenceNode {
		return []*Node{n}
	}
	if len(n.Items) == 0 {
		d.Error(n.At, "config.empty-list", "field", path)
	}
	return n.Items
}

// valueAt is where a value stands, or its field's name where it is absent.
func valueAt(n *Node, at Place) Place {
	if n.Kind == EmptyNode {
		return at
	}
	return n.At
}

// blocks decodes a list of mappings.
func (d *Decoder) blocks(v reflect.Value, n *Node, path string, at Place) {
	short, hasShort := shortField(v.Type().Elem())
	if n.Kind == ScalarNode && hasShort {
		n = &Node{Kind: SequenceNode, Items: []*Node{n}, At: n.At}
	}
	if n.Kind != SequenceNode || len(n.Items) == 0 {
		if n.Kind == EmptyNode || n.Kind == SequenceNode {
			d.Error(at, "config.empty-list", "field", path)
			return
		}
		d.notA("config.not-list", path, n)
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Items), len(n.Items)))
	for i, item := range n.Items {
		d.at("["+strconv.Itoa(i)+"]", func() {
			if item.Kind != ScalarNode || !hasShort {
				d.block(v.Index(i), item, path, item.At)
				return
			}
			one := v.Index(i)
			d.defaults(one)
			d.places[d.where] = item.At
			if m, ok := one.Addr().Interface().(interface{ mark(Place) }); ok {
				m.mark(item.At)
			}
			d.field(one.Field(short), one.Type().Field(short).Tag, item, path, item.At)
		})
	}
}

// shortField is the field of a block whose value may stand for the block.
func shortField(t reflect.Type) (index int, ok bool) {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("short") == "true" {
			return i, true
		}
	}
	return 0, false
}

// notA reports a node of the wrong kind, or the full-width bracket that made it
// one.
func (d *Decoder) notA(id, path string, n *Node) {
	if offset, found, meant, ok := wide(n.Text); n.Kind == ScalarNode && !n.Quoted && ok {
		reportWide(d.Findings, Place{n.At.Line, n.At.Column + offset, 1}, found, meant)
		return
	}
	if path == "" {
		path = d.lang.Name
	}
	d.Error(n.At, id, "field", path)
}

// notBlock is the id for what should have been a block.
func (d *Decoder) notBlock(path string) string {
	if slices.Contains(d.lang.Roots, path) || slices.Contains(d.lang.Entries, path) {
		return "config.not-entry"
	}
	return "config.not-mapping"
}

// scalar reads one value by its kind.
func (d *Decoder) scalar(tag reflect.StructTag, n *Node, path string, at Place) (any, bool) {
	k := d.lang.Kinds[tag.Get("kind")]
	switch n.Kind {
	case EmptyNode:
		d.Error(at, "config.no-value", "field", path)
		return nil, false
	case MappingNode, SequenceNode:
		d.Error(n.At, "config.not-scalar", "field", path)
		return nil, false
	}
	if offset, found, meant, ok := wide(n.Text); ok && !k.Free {
		quote := 0
		if n.Quoted {
			quote = 1
		}
		reportWide(d.Findings, Place{n.At.Line, n.At.Column + offset + quote, 1}, found, meant)
		return nil, false
	}
	parsed, bad := k.Parse(n.Text, tag)
	if bad == nil {
		return parsed, true
	}
	spot := n.At
	if bad.From > 0 || bad.Length > 0 {
		spot.Column += bad.From
		if n.Quoted {
			spot.Column++
		}
		spot.Length = bad.Length
		if spot.Length == 0 {
			spot.Length = max(utf8.RuneCountInString(n.Text)-bad.From, 1)
		}
	}
	d.Error(spot, bad.ID, append([]any{"field", path, "value", Brief(n.Text)}, bad.Args...)...)
	return nil, false
}

// Brief cuts a value for a message.
func Brief(text string) string {
	runes := []rune(strings.ReplaceAll(mask(text, nil), "\n", " "))
	if len(runes) > 40 {
		return string(runes[:39]) + "…"
	}
	return string(runes)
}

// headers reads a mapping of header names to texts.
func (d *Decoder) headers(target *HeaderMap, tag reflect.StructTag, n *Node, path string, at Place) {
	target.At, target.Set = at, true
	if n.Kind != MappingNode {
		d.notA("config.not-mapping", path, n)
		return
	}
	seen := map[string]int{}
	for _, p := range n.Pairs {
		name := p.Key.Text
		lower := strings.ToLower(name)
		switch {
		case p.Key.Kind != ScalarNode || !headerName.MatchString(name):
			d.Error(p.Key.At, "config.header-name", "value", Brief(name))
			continue
		case slices.Contains(ownHeaders, lower):
			d.Error(p.Key.At, "config.header-own", "value", name)
			continue
		case seen[lower] > 0:
			d.Error(p.Key.At, "config.twice", "field", d.lang.within(path, name), "line", seen[lower])
			continue
		}
		seen[lower] = p.Key.At.Line
		if parsed, ok := d.scalar(tag, p.Value, d.lang.within(path, name), p.Key.At); ok {
			text := parsed.(string)
			if strings.ContainsAny(text, "\r\n\x00") {
				d.Error(p.Value.At, "config.header-value", "value", name)
				continue
			}
			target.Items = append(target.Items, continuity.Field{Name: name, Value: text})
			target.Ats = append(target.Ats, p.Key.At)
		}
	}
}

// ownHeaders are written by the relay itself.
var ownHeaders = []string{
	"connection", "content-length", "content-type", "date", "keep-alive", "location",
	"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
}
