package stale

import (
	"bytes"
	"compress/gzip"
	"container/list"
	"encoding/json"
	"html"
	"io"
	"net/url"
	"slices"
	"strings"

	"holdfast/internal/continuity"
)

// Purge drops what mentions a text, in its address, its fields or its body, however
// that writes it; and what can't be searched. It returns how many went.
func (s *Store) Purge(text string) (gone int) {
	if text == "" {
		return 0
	}
	forms := written(text)
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		var there []*list.Element
		for at := sh.recent.Front(); at != nil; at = at.Next() {
			there = append(there, at)
		}
		sh.mu.Unlock()
		for _, at := range there { // an entry does not change, and to search it takes a while
			e := at.Value.(*entry)
			if !e.mentions(forms) {
				continue
			}
			sh.mu.Lock()
			if slices.Contains(sh.entries[e.address], at) {
				s.remove(sh, at)
				gone++
			}
			sh.mu.Unlock()
		}
	}
	return gone
}

// written is how addresses, JSON and HTML write a text.
func written(text string) [][]byte {
	forms := []string{text, url.QueryEscape(text), url.PathEscape(text), html.EscapeString(text)}
	if quoted, err := json.Marshal(text); err == nil {
		forms = append(forms, string(quoted[1:len(quoted)-1]))
	}
	var out bytes.Buffer
	plain := json.NewEncoder(&out)
	plain.SetEscapeHTML(false)
	if plain.Encode(text) == nil {
		forms = append(forms, strings.Trim(out.String(), "\"\n"))
	}
	slices.Sort(forms)
	forms = slices.Compact(forms)
	texts := make([][]byte, 0, len(forms))
	for _, f := range forms {
		texts = append(texts, []byte(f))
	}
	return texts
}

func (e *entry) mentions(forms [][]byte) bool {
	in := func(text []byte) bool {
		return slices.ContainsFunc(forms, func(f []byte) bool { return bytes.Contains(text, f) })
	}
	asked := []string{e.address}
	for _, unescape := range []func(string) (string, error){url.PathUnescape, url.QueryUnescape} {
		if plain, err := unescape(e.address); err == nil {
			asked = append(asked, plain)
		}
	}
	if slices.ContainsFunc(append(asked, e.selector...), func(s string) bool { return in([]byte(s)) }) || slices.ContainsFunc(e.response.Header, func(f continuity.Field) bool { return in([]byte(f.Value)) }) {
		return true
	}
	coding, coded := find(e.response.Header, "Content-Encoding")
	switch {
	case !coded || strings.EqualFold(coding, "identity"):
		return in(e.response.Body)
	case strings.EqualFold(coding, "gzip") || strings.EqualFold(coding, "x-gzip"):
		plain, ok := unpacked(e.response.Body)
		return !ok || in(plain)
	}
	return true
}

// mostPlain bounds what a body may become; a longer one counts as unsearchable.
const mostPlain = 16 << 20

func unpacked(body []byte) ([]byte, bool) {
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, false
	}
	plain, err := io.ReadAll(io.LimitReader(r, mostPlain+1))
	return plain, err == nil && len(plain) <= mostPlain
}
