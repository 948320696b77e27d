package plain_test

import (
	"strings"
	"testing"

	"holdfast/internal/outgoing/plain"
)

func TestFromHTML(t *testing.T) {
	for src, want := range map[string]string{
		"hello":                              "hello",
		"a &amp; b":                          "a & b",
		"<p>one</p><p>two<br>three</p>":      "one\n\ntwo\nthree",
		"<p>x<script>alert(1)</script>y</p>": "xy",
		"<style>p{}</style>x":                "x",
		"<svg><svg></svg>deep</svg>seen":     "seen",
		"<ul><li>1<li>2</ul>":                "1\n2",
		"<td>a</td><td>b</td>":               "a b",
		"a\u202eb\x00c":                      "a b c",
		"Dec <var data-var='date'> 1</var>, <var data-var='time'>02:00</var> UTC": "Dec 1, 02:00 UTC",
		"<b": "", "&#x41;&bogus;": "A&bogus;",
		"\xff\xfe": "�",
	} {
		if got := plain.FromHTML(src); got != want {
			t.Errorf("%q: %q, not %q", src, got, want)
		}
	}
	for _, hostile := range []string{strings.Repeat("<div>", 1<<20), strings.Repeat("x", 10<<20), strings.Repeat("<script>", 1<<18), strings.Repeat("<p>字</p>", 1<<18)} {
		if got := plain.FromHTML(hostile); len(got) > plain.Most {
			t.Errorf("%d bytes are kept", len(got))
		}
	}
}

func FuzzFromHTML(f *testing.F) {
	f.Add("<p>one<script>x</script>")
	f.Fuzz(func(t *testing.T, src string) {
		got := plain.FromHTML(src)
		if len(got) > plain.Most || strings.ContainsAny(got, "\x00\x1b\r") {
			t.Errorf("%q", got)
		}
		if again := plain.Tidy(got); again != got {
			t.Errorf("%q, then %q", got, again)
		}
	})
}
