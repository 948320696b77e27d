package yamldoc

import (
	"reflect"
	"strconv"
)

// Raw is a part of a document that whoever owns it decodes later, when it is
// known what it should be.
type Raw struct{ Node *Node }

// plain decodes a field that is a scalar, list, map or struct of Go.
func (d *Decoder) plain(v reflect.Value, tag reflect.StructTag, n *Node, path string, at Place) {
	switch {
	case v.Kind() == reflect.Map:
		d.dictionary(v, tag, n, path)
	case v.Kind() == reflect.Slice && tag.Get("kind") != "":
		v.Set(reflect.Zero(v.Type())) // without its default
		for i, item := range d.items(n, path) {
			d.at("["+strconv.Itoa(i)+"]", func() {
				one := reflect.New(v.Type().Elem()).Elem()
				if parsed, ok := d.scalar(tag, item, path, at); ok {
					put(one, parsed)
				}
				d.places[d.where] = valueAt(item, at)
				v.Set(reflect.Append(v, one)) // a bad one too, so that places keep their index
			})
		}
	case v.Kind() == reflect.Slice:
		d.blocks(v, n, path, at)
	case tag.Get("kind") != "":
		if parsed, ok := d.scalar(tag, n, path, at); ok {
			put(v, parsed)
		}
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.block(v.Elem(), n, path, at)
	default:
		d.block(v, n, path, at)
	}
}

// dictionary decodes a mapping whose names the document's author chooses; tag
// "names" is the kind of the names, "kind" that of values that are scalars.
func (d *Decoder) dictionary(v reflect.Value, tag reflect.StructTag, n *Node, path string) {
	if n.Kind != MappingNode {
		d.notA("config.not-mapping", path, n)
		return
	}
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.Pairs)))
	lines := map[string]int{}
	names := reflect.StructTag(`kind:"` + tag.Get("names") + `" ` + string(tag.Get("nametag")))
	for _, p := range n.Pairs {
		if p.Key.Kind != ScalarNode {
			d.Error(p.Key.At, "config.not-name")
			continue
		}
		name, ok := d.scalar(names, p.Key, path, p.Key.At)
		if !ok {
			continue
		}
		inner := path + "." + p.Key.Text
		if line, twice := lines[p.Key.Text]; twice {
			d.Error(p.Key.At, "config.twice", "field", inner, "line", line)
			continue
		}
		lines[p.Key.Text] = p.Key.At.Line
		d.at(p.Key.Text, func() {
			one := reflect.New(v.Type().Elem()).Elem()
			d.field(one, tag, p.Value, inner, p.Key.At)
			v.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), one)
		})
	}
}
