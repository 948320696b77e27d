package identity

import (
	"bytes"
	"net/url"
	"unicode/utf8"
)

// form reads the fields with the given names out of a form
// (application/x-www-form-urlencoded). A field that stands there twice has no
// value, as its readers could each take another; nor has one that is no UTF-8.
func form(body []byte, names []string) ([]Value, error) {
	found := make([]Value, len(names))
	twice := make([]bool, len(names))
	for pair := range bytes.SplitSeq(body, []byte("&")) {
		if len(pair) == 0 {
			continue
		}
		rawName, rawValue, _ := bytes.Cut(pair, []byte("="))
		name, err := url.QueryUnescape(string(rawName))
		if err != nil {
			return nil, badBody("not a form")
		}
		for n := range names {
			if name != names[n] {
				continue
			}
			value, err := url.QueryUnescape(string(rawValue))
			if err != nil {
				return nil, badBody("not a form")
			}
			if found[n].Kind != Absent || !utf8.ValidString(value) {
				twice[n] = true
			}
			found[n] = Value{String, value}
		}
	}
	for n := range names {
		if twice[n] {
			found[n] = Value{}
		}
	}
	return found, nil
}
