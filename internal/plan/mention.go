package plan

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"holdfast/internal/continuity"
	"holdfast/internal/yamldoc"
)

// Mentions are all places where the plan names people, in the order of its files.
func (p *Plan) Mentions() []continuity.Mention {
	list := p.mentions(nil, p, p.File, p.Places)
	if p.Tech != nil {
		list = p.mentions(list, p.Tech, TechName(p.File), p.Tech.Places)
	}
	return list
}

func (p *Plan) mentions(list []continuity.Mention, doc any, file string, places yamldoc.Places) []continuity.Mention {
	from := len(list)
	walk(reflect.ValueOf(doc).Elem(), "", func(where string, tag reflect.StructTag, v reflect.Value) {
		words := strings.Split(tag.Get("ref"), "|")
		if !slices.Contains(words, "people") || v.IsZero() {
			return
		}
		note := func(name, at string) {
			if _, role := p.Roles[name]; name == "" || role && slices.Contains(words, "roles") {
				return
			}
			place := places[at]
			list = append(list, continuity.Mention{Person: name, Service: p.ID, File: file, Line: place.Line, Column: place.Column, Where: where})
		}
		if v.Kind() != reflect.Slice {
			note(v.String(), where)
			return
		}
		for i := range v.Len() {
			note(v.Index(i).String(), where+"["+strconv.Itoa(i)+"]")
		}
	})
	slices.SortStableFunc(list[from:], func(a, b continuity.Mention) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return list
}
