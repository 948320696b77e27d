package controlconfig

import (
	"maps"
	"reflect"
	"slices"
	"strconv"

	notify "holdfast/internal/notify/kinds"
	"holdfast/internal/secret"
	"holdfast/internal/yamldoc"
)

var channelKinds = slices.Sorted(maps.Keys(notify.All))

func parseChannel(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	if _, ok := notify.All[text]; ok {
		return text, nil
	}
	if near, ok := yamldoc.Nearest(text, channelKinds); ok {
		return nil, yamldoc.Wrong("controlconfig.channel-near", "near", near)
	}
	return nil, yamldoc.Wrong("controlconfig.channel", "words", channelKinds)
}

// settingsLanguage reads what a kind of channel has to be told. Wherever a block
// is wanted it is a reference to a secret.
var settingsLanguage = &yamldoc.Language{Name: "control.yaml", Kinds: kinds, Secret: func(f *yamldoc.Findings, path string, n *yamldoc.Node) bool {
	f.Error(n.At, "controlconfig.secret", "field", path)
	return true
}}

// checkChannels decodes what each channel is told, and reports what is wrong with it.
func (c *Control) checkChannels(f *yamldoc.Findings, at yamldoc.Places) {
	seen := map[string]bool{}
	for i := range c.Channels {
		ch, where := &c.Channels[i], "channels["+strconv.Itoa(i)+"]"
		if ch.ID != "" && seen[ch.ID] {
			f.Error(at.At(where+".id"), "controlconfig.twice", "id", ch.ID)
		}
		seen[ch.ID] = true
		kind, ok := notify.All[ch.Kind]
		if !ok {
			continue
		}
		root := ch.With.Node
		if root == nil {
			root = &yamldoc.Node{Kind: yamldoc.MappingNode, At: at.At(where)}
		}
		ch.Settings = kind.Settings()
		places := settingsLanguage.Decode(f, root, ch.Settings)
		eachRef(reflect.ValueOf(ch.Settings), "", func(path string, r *secret.Ref) {
			if *r != (secret.Ref{}) && !r.One() {
				f.Error(places.At(path), "controlconfig.one-of", "field", path)
			}
		})
		if settings, ok := ch.Settings.(checked); ok && !f.Failed() {
			settings.Check(func(field, id string, pairs ...any) { f.Error(places.At(field), id, pairs...) })
		}
	}
}

// checked is notify.Checked.
type checked interface {
	Check(report func(field, id string, pairs ...any))
}

// eachRef visits the references to secrets in settings.
func eachRef(v reflect.Value, path string, visit func(path string, r *secret.Ref)) {
	switch {
	case v.Kind() == reflect.Pointer && v.IsNil():
	case v.Kind() == reflect.Pointer && v.Type() == reflect.TypeFor[*secret.Ref]():
		visit(path, v.Interface().(*secret.Ref))
	case v.Kind() == reflect.Pointer:
		eachRef(v.Elem(), path, visit)
	case v.Type() == reflect.TypeFor[secret.Ref]():
		visit(path, v.Addr().Interface().(*secret.Ref))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Tag.Get("yaml"); name != "" {
				eachRef(v.Field(i), yamldoc.Below(path, name), visit)
			}
		}
	}
}

// resolveFiles makes the paths of settings absolute.
func resolveFiles(v reflect.Value, abs func(*string)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			resolveFiles(v.Elem(), abs)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			switch {
			case field.Tag.Get("yaml") == "":
			case field.Tag.Get("kind") == "file" && field.Type.Kind() == reflect.String:
				abs(v.Field(i).Addr().Interface().(*string))
			default:
				resolveFiles(v.Field(i), abs)
			}
		}
	}
}
