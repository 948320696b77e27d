package config

import (
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"holdfast/internal/continuity"
)

// decoder walks the tree and the tagged structs together.
type decoder struct {
	*findings
}

// decode fills doc from the root; what is wrong goes to the findings.
func decode(f *findings, root *node) *document {
	doc := &document{}
	d := &decoder{f}
	d.block(reflect.ValueOf(doc).Elem(), root, "", root.at)
	return doc
}

// defaults fills every absent field of a struct that has a default.
func (d *decoder) defaults(v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Tag.Get("yaml") == "" {
			continue // the embedded block
		}
		switch target := v.Field(i).Addr().Interface().(type) {
		case scalar:
			if text, ok := field.Tag.Lookup("default"); ok {
				target.assign(mustParse(field.Tag, text), text)
			}
		case scalars:
			if text, ok := field.Tag.Lookup("default"); ok {
				v.Field(i).Set(reflect.Zero(field.Type)) // a block within a block comes here once for each
				target.add(mustParse(field.Tag, text), text, place{})
			}
		case *fields:
		default:
			if field.Type.Kind() == reflect.Struct {
				d.defaults(v.Field(i))
			}
		}
	}
}

// mustParse reads a default; a test reads them all.
func mustParse(tag reflect.StructTag, text string) any {
	parsed, bad := kinds[tag.Get("kind")].parse(text, tag)
	if bad != nil {
		panic("config: default " + text + ": " + bad.id)
	}
	return parsed
}

// within joins a path and a name; the path of a route's field starts in the
// route, as people say it.
func within(path, name string) string {
	if path == "" || path == "routes" {
		return name
	}
	return path + "." + name
}

// shorthand is a block in whose place one word may stand.
type shorthand interface{ short(d *decoder, n *node) }

// block decodes one mapping. at is where its name stands.
func (d *decoder) block(v reflect.Value, n *node, path string, at place) {
	d.defaults(v)
	marked := at
	if n.kind == mappingNode && (path == "" || path == "routes") {
		marked = n.at
	}
	v.Addr().Interface().(interface{ mark(place) }).mark(marked)
	switch n.kind {
	case mappingNode:
	case emptyNode: // "answer:" alone: every field has its default
		if path == "" || path == "routes" {
			d.notA(notBlock(path), path, n)
			return
		}
	default:
		if short, ok := v.Addr().Interface().(shorthand); ok && n.kind == scalarNode {
			short.short(d, n)
			return
		}
		if n.kind == scalarNode && d.secretScalar(path, n) {
			return
		}
		d.notA(notBlock(path), path, n)
		return
	}
	names := fieldNames(v.Type())
	seen := map[string]place{}
	for _, p := range n.pairs {
		name := p.key.text
		if p.key.kind != scalarNode {
			d.error(p.key.at, "config.not-name")
			continue
		}
		index, known := names[name]
		if !known {
			d.unknown(v.Type(), name, path, p.key.at)
			continue
		}
		if first, twice := seen[name]; twice {
			d.error(p.key.at, "config.twice", "field", within(path, name), "line", first.line)
			continue
		}
		seen[name] = p.key.at
		d.field(v.Field(index), v.Type().Field(index).Tag, p.value, within(path, name), p.key.at)
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

func (d *decoder) missing(path, name string, tag reflect.StructTag, at place) {
	example := tag.Get("example")
	if example == "" {
		d.error(at, "config.missing-block", "field", within(path, name), "name", name)
		return
	}
	d.error(at, "config.missing", "field", within(path, name), "name", name, "example", example)
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
func (d *decoder) unknown(t reflect.Type, name, path string, at place) {
	if offset, found, meant, ok := wide(name); ok {
		reportWide(d.findings, place{at.line, at.column + offset, 1}, found, meant)
		return
	}
	if slices.Contains(later, within(path, name)) {
		d.error(at, "config.later", "field", within(path, name))
		return
	}
	if integer.MatchString(name) { // {count: 200,000}
		d.error(at, "config.separator", "value", name)
		return
	}
	var names []string
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("yaml"); name != "" {
			names = append(names, name)
		}
	}
	if near, ok := nearest(strings.ReplaceAll(strings.ToLower(name), "-", "_"), names); ok {
		d.error(at, "config.unknown-near", "field", within(path, name), "near", near)
		return
	}
	d.error(at, "config.unknown", "field", within(path, name), "words", names)
}

// later lists what Holdfast has words for but this version does not do.
var later = []string{
	"poison.notify", "answer.template",
}

func (d *decoder) field(v reflect.Value, tag reflect.StructTag, n *node, path string, at place) {
	switch target := v.Addr().Interface().(type) {
	case scalar:
		if parsed, ok := d.scalar(tag, n, path, at); ok {
			target.assign(parsed, n.text)
		}
		target.mark(d.valueAt(n, at))
	case scalars:
		v.Set(reflect.Zero(v.Type())) // without its default
		target.mark(d.valueAt(n, at))
		items := []*node{n}
		if n.kind == sequenceNode {
			items = n.items
			if len(items) == 0 {
				d.error(n.at, "config.empty-list", "field", path)
			}
		}
		for _, item := range items {
			if parsed, ok := d.scalar(tag, item, path, at); ok {
				target.add(parsed, item.text, item.at)
			} else {
				target.spoil()
			}
		}
	case *fields:
		d.headers(target, tag, n, path, at)
	default:
		if v.Kind() == reflect.Slice {
			d.blocks(v, n, path, at)
			return
		}
		d.block(v, n, path, at)
	}
}

// valueAt is where a value stands, or its field's name where it is absent.
func (d *decoder) valueAt(n *node, at place) place {
	if n.kind == emptyNode {
		return at
	}
	return n.at
}

// blocks decodes a list of mappings.
func (d *decoder) blocks(v reflect.Value, n *node, path string, at place) {
	short, hasShort := shortField(v.Type().Elem())
	if n.kind == scalarNode && hasShort {
		n = &node{kind: sequenceNode, items: []*node{n}, at: n.at}
	}
	if n.kind != sequenceNode || len(n.items) == 0 {
		if n.kind == emptyNode || n.kind == sequenceNode {
			d.error(at, "config.empty-list", "field", path)
			return
		}
		d.notA("config.not-list", path, n)
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
	for i, item := range n.items {
		if item.kind != scalarNode || !hasShort {
			d.block(v.Index(i), item, path, item.at)
			continue
		}
		one := v.Index(i)
		d.defaults(one)
		one.Addr().Interface().(interface{ mark(place) }).mark(item.at)
		d.field(one.Field(short), one.Type().Field(short).Tag, item, path, item.at)
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
func (d *decoder) notA(id, path string, n *node) {
	if offset, found, meant, ok := wide(n.text); n.kind == scalarNode && !n.quoted && ok {
		reportWide(d.findings, place{n.at.line, n.at.column + offset, 1}, found, meant)
		return
	}
	d.error(n.at, id, "field", shown(path))
}

// notBlock is the id for what should have been a block.
func notBlock(path string) string {
	if slices.Contains([]string{"routes", "hold.except", "hold.amount.caps", "priority.classes", "approvals.above", "reply.channels", "block"}, path) {
		return "config.not-entry"
	}
	return "config.not-mapping"
}

// shown is a path as it stands in messages.
func shown(path string) string {
	if path == "" {
		return "relay.yaml"
	}
	return path
}

// scalar reads one value by its kind.
func (d *decoder) scalar(tag reflect.StructTag, n *node, path string, at place) (any, bool) {
	k := kinds[tag.Get("kind")]
	switch n.kind {
	case emptyNode:
		d.error(at, "config.no-value", "field", path)
		return nil, false
	case mappingNode, sequenceNode:
		d.error(n.at, "config.not-scalar", "field", path)
		return nil, false
	}
	if offset, found, meant, ok := wide(n.text); ok && !k.free {
		quote := 0
		if n.quoted {
			quote = 1
		}
		reportWide(d.findings, place{n.at.line, n.at.column + offset + quote, 1}, found, meant)
		return nil, false
	}
	parsed, bad := k.parse(n.text, tag)
	if bad == nil {
		return parsed, true
	}
	spot := n.at
	if bad.from > 0 || bad.length > 0 {
		spot.column += bad.from
		if n.quoted {
			spot.column++
		}
		spot.length = bad.length
		if spot.length == 0 {
			spot.length = max(utf8.RuneCountInString(n.text)-bad.from, 1)
		}
	}
	d.error(spot, bad.id, append([]any{"field", path, "value", brief(n.text)}, bad.args...)...)
	return nil, false
}

// brief cuts a value for a message.
func brief(text string) string {
	runes := []rune(strings.ReplaceAll(mask(text, nil), "\n", " "))
	if len(runes) > 40 {
		return string(runes[:39]) + "…"
	}
	return string(runes)
}

// headers reads a mapping of header names to texts.
func (d *decoder) headers(target *fields, tag reflect.StructTag, n *node, path string, at place) {
	target.at, target.set = at, true
	if n.kind != mappingNode {
		d.notA("config.not-mapping", path, n)
		return
	}
	seen := map[string]int{}
	for _, p := range n.pairs {
		name := p.key.text
		lower := strings.ToLower(name)
		switch {
		case p.key.kind != scalarNode || !headerName.MatchString(name):
			d.error(p.key.at, "config.header-name", "value", brief(name))
			continue
		case slices.Contains(ownHeaders, lower):
			d.error(p.key.at, "config.header-own", "value", name)
			continue
		case seen[lower] > 0:
			d.error(p.key.at, "config.twice", "field", within(path, name), "line", seen[lower])
			continue
		}
		seen[lower] = p.key.at.line
		if parsed, ok := d.scalar(tag, p.value, within(path, name), p.key.at); ok {
			text := parsed.(string)
			if strings.ContainsAny(text, "\r\n\x00") {
				d.error(p.value.at, "config.header-value", "value", name)
				continue
			}
			target.items = append(target.items, continuity.Field{Name: name, Value: text})
			target.ats = append(target.ats, p.key.at)
		}
	}
}

// ownHeaders are written by the relay itself.
var ownHeaders = []string{
	"connection", "content-length", "content-type", "date", "keep-alive", "location",
	"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
}
