package stale_test

import (
	"bytes"
	"compress/gzip"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/stale"
)

// What mentions somebody goes, however it is written, and so does what can't be
// searched; the rest stays.
func TestPurgeDropsWhatMentionsAText(t *testing.T) {
	const who = `李雷 & "co"`
	packed := func(text string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write([]byte(text))
		_ = w.Close()
		return b.String()
	}
	coded := func(name string) continuity.Field { return continuity.Field{Name: "content-encoding", Value: name} }
	s := stale.New(1 << 20)
	goes := map[string]bool{}
	keep := func(target, body string, gone bool, header ...continuity.Field) {
		t.Helper()
		address := stale.Address("http", "shop", target)
		header = append(header, continuity.Field{Name: "Cache-Control", Value: "max-age=60"})
		p, ok := stale.Storable(nil, 200, header, now)
		if !ok {
			t.Fatal("not storable")
		}
		s.Put(address, nil, p, stale.Response{Status: 200, Header: header, Body: []byte(body)})
		goes[address] = gone
	}
	keep("/plain", "about "+who+".", true)
	keep("/json", `{"name":"李雷 \u0026 \"co\""}`, true)
	keep("/json-unescaped", `{"name":"李雷 & \"co\""}`, true)
	keep("/html", "<p>李雷 &amp; &#34;co&#34;</p>", true)
	keep("/of/%E6%9D%8E%E9%9B%B7%20&%20%22co%22", "x", true)
	keep("/of/%e6%9d%8e%e9%9b%b7%20%26%20%22co%22", "x", true)
	keep("/?q=%E6%9D%8E%E9%9B%B7+%26+%22co%22", "x", true)
	keep("/field", "x", true, continuity.Field{Name: "X-About", Value: who})
	keep("/packed", packed("about "+who), true, coded("gzip"))
	keep("/broken", "no gzip", true, coded("gzip"))
	keep("/unread", "anything", true, coded("br"))
	keep("/other", "about 韩梅梅", false)
	keep("/packed-other", packed("about 韩梅梅"), false, coded("gzip"))
	keep("/named", "about 韩梅梅", false, coded("identity"))
	if n := s.Purge(""); n != 0 {
		t.Errorf("nothing was named, and %d went", n)
	}
	if n := s.Purge(who); n != 11 {
		t.Errorf("%d went", n)
	}
	for address, gone := range goes {
		if _, there := s.Get(address, nil, now, time.Hour); there == gone {
			t.Errorf("%q: there %v", address, there)
		}
	}
	if s.Purge(who) != 0 {
		t.Error("they went twice")
	}
	s.SetLimit(0)
	if s.Bytes() != 0 {
		t.Errorf("%d bytes are not accounted for", s.Bytes())
	}
}
