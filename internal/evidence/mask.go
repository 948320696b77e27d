package evidence

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// masking hides people's addresses.
type masking struct {
	known []string // the longest first, so that none is half hidden by another
}

func newMasking(known []string) *masking {
	m := &masking{}
	for _, a := range known {
		if a = strings.TrimSpace(a); utf8.RuneCountInString(a) >= 5 { // a shorter one would hide words
			m.known = append(m.known, a)
		}
	}
	slices.SortFunc(m.known, func(a, b string) int { return len(b) - len(a) })
	m.known = slices.Compact(m.known)
	return m
}

// places are the fields of objects in which an address of somebody may stand who is
// not known.
var places = map[string]bool{"address": true, "addresses": true, "phone": true, "mail": true}

func (m *masking) text(text string) (masked string, changed bool) {
	masked = text
	for _, a := range m.known {
		if strings.Contains(masked, a) {
			masked = strings.ReplaceAll(masked, a, hide(a))
		}
	}
	return masked, masked != text
}

// hide leaves as much of an address as tells two people apart.
func hide(address string) string {
	if strings.Contains(address, "***") {
		return address // it is masked already
	}
	r := []rune(address)
	if name, domain, mail := strings.Cut(address, "@"); mail && name != "" {
		return string([]rune(name)[0]) + "***@" + domain
	}
	if len(r) < 5 {
		return "***"
	}
	return string(r[:1]) + "***" + string(r[len(r)-2:])
}

// json masks the texts of a document; what nothing is masked in stays as it is, byte
// by byte.
func (m *masking) json(raw json.RawMessage) (json.RawMessage, bool) {
	if raw == nil {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return json.RawMessage("null"), true // nothing that could be shown
	}
	changed := false
	v = m.value(v, false, &changed)
	if !changed {
		return raw, false
	}
	out, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null"), true
	}
	return out, true
}

func (m *masking) value(v any, address bool, changed *bool) any {
	switch v := v.(type) {
	case string:
		masked, did := m.text(v)
		if address && v != "" {
			if masked = hide(v); masked != v {
				did = true
			}
		}
		*changed = *changed || did
		return masked
	case []any:
		for i := range v {
			v[i] = m.value(v[i], address, changed)
		}
	case map[string]any:
		for key := range v {
			v[key] = m.value(v[key], places[key], changed)
		}
	}
	return v
}
