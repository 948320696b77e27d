package identity

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// path is the names of the elements down to a text, from the root.
type path []string

// parsePath parses /root/child.
func parsePath(text string) (path, error) {
	names, ok := strings.CutPrefix(text, "/")
	p := path(strings.Split(names, "/"))
	if !ok || len(p) > maxDepth || slices.Contains(p, "") {
		return nil, fmt.Errorf("identity: %q is no path of element names", text)
	}
	return p, nil
}

// xmlValues reads the texts of elements. An element that stands there twice, or
// that has others inside, has no value. Name spaces are not looked at. Neither
// a document type nor any entity but the predefined ones is read: nothing is
// fetched and nothing grows.
func xmlValues(body []byte, paths []path) ([]Value, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	found, seen := make([]Value, len(paths)), make([]int, len(paths))
	var open []string
	var text []byte
	leaf := false // the innermost element has no other inside
	rooted := false
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, badBody("not XML")
		}
		switch t := token.(type) {
		case xml.StartElement:
			if len(open) == maxDepth || len(open) == 0 && rooted {
				return nil, badBody("not XML")
			}
			open, text, leaf, rooted = append(open, t.Name.Local), text[:0], true, true
		case xml.CharData:
			if leaf {
				text = append(text, t...)
			}
		case xml.Directive:
			return nil, badBody("a document type")
		case xml.EndElement:
			if len(open) == 0 || open[len(open)-1] != t.Name.Local {
				return nil, badBody("not XML")
			}
			for n, p := range paths {
				if slices.Equal(p, path(open)) {
					if seen[n]++; leaf {
						found[n] = Value{String, string(text)}
					}
				}
			}
			open, leaf = open[:len(open)-1], false
		}
	}
	if len(open) > 0 || !rooted {
		return nil, badBody("not XML")
	}
	for n := range found {
		if seen[n] != 1 {
			found[n] = Value{}
		}
	}
	return found, nil
}
