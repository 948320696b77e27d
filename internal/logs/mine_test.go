package logs

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestMasks(t *testing.T) {
	for line, want := range map[string]string{
		"order 4711 accepted in 12ms":             "order <num> accepted in <num>ms",
		"2026-11-22T08:00:00.123Z INFO up":        "<num>T<num>:<num>:<num>Z INFO up",
		"from 10.0.0.5:443 to [fe80::1]":          "from <ip>:<num> to [fe<num>::<num>]",
		"id 550e8400-e29b-41d4-a716-446655440000": "id <id>",
		"commit deadbeef0 done":                   "commit <id> done",
		"key AKIAIOSFODNN7EXAMPLE9 used":          "key <id> used",
		"mail to li.wei@example.com sent":         "mail to <mail> sent",
		"password=hun$ter!2 rest":                 "password=<secret> rest",
		"Authorization: Bearer abc.def-ghi next":  "Authorization: Bearer <secret> next",
		"sent Bearer abc.def-ghi next":            "sent Bearer <secret> next",
		`{"token": "a b c", "qty": 1}`:            `{"token": "<secret>", "qty": <num>}`,
		"GET /pay?access_token=xyz&order=12 200":  "GET /pay?access_token=<secret>&order=<num> <num>",
		"密码：猫咪在此，订单 12":                           "密码：<secret>，订单 <num>",
		"card 4111 1111 1111 1111 refused":        "card <num> <num> <num> <num> refused",
		"phone 138-0013-8000, user=li.wei;":       "phone <num>, user=<secret>;",
		"tokens are fine, token counting too":     "tokens are fine, token counting too",
		"password":                                "password",
		"password=":                               "password=",
		`secret="unended`:                         `secret="<secret>`,
		"X-Api-Key: kk-1 ok":                      "X-Api-Key: <secret> ok",
		"http-nio-8080-exec-3 worker v2":          "http-nio-<num>-exec-<num> worker v<num>",
		"":                                        "",
	} {
		if got := masked(line); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestMessageOfJSON(t *testing.T) {
	for record, want := range map[string]string{
		`{"time":"x","level":"error","msg":"it failed","order":"1","error":"no way"}`: "error it failed no way",
		`{"a":1}`:         `{"a":1}`,
		"{broken":         "{broken",
		"one\n\tat two":   "one",
		`{"message":"a"}`: "a",
	} {
		if got := message(record); got != want {
			t.Errorf("%q: %q", record, got)
		}
	}
}

func TestTemplates(t *testing.T) {
	m := newMiner(100)
	now := time.Now()
	add := func(line string) (*Template, bool) { return m.add(masked(line), now) }
	for i := range 50 {
		add(fmt.Sprintf("order %d of customer c%d accepted", i, i))
		add(fmt.Sprintf("connection to db-%d lost, trying again", i))
		add("user " + strings.Repeat("x", i%7+1) + " logged in from web")
	}
	got := map[string]int64{}
	for _, x := range m.all() {
		got[x.Text()] = x.Count
	}
	for text, want := range map[string]int64{
		"order <num> of customer c<num> accepted":   50,
		"connection to db-<num> lost, trying again": 50,
		"user <*> logged in from web":               50,
	} {
		if got[text] != want {
			t.Errorf("%s: %d of %d: %v", text, got[text], want, got)
		}
	}
	if _, fresh := add("disk is full"); !fresh {
		t.Error("nothing new")
	}
	if x, fresh := add("disk is full"); fresh || x.Count != 2 || !x.Rare() {
		t.Errorf("%+v", x)
	}
}

// TestTemplatesAreBounded gives far more kinds than are kept: what was not seen
// for longest goes.
func TestTemplatesAreBounded(t *testing.T) {
	m := newMiner(50)
	now := time.Now()
	word := func(i int) string {
		return strings.Map(func(r rune) rune { return 'a' + (r - '0') }, fmt.Sprintf("%06d", i))
	}
	m.add("this one is seen again and again", now)
	for i := range 5000 {
		m.add(word(i)+" "+word(i*7)+" "+word(i*13), now)
		if _, fresh := m.add("this one is seen again and again", now); fresh {
			t.Fatal("what is seen was forgotten")
		}
	}
	size := 0
	for _, l := range m.leaves {
		size += len(l.templates)
	}
	if len(m.all()) != 50 || size != 50 || m.gone != 4951 {
		t.Errorf("%d templates, %d in leaves, %d gone", len(m.all()), size, m.gone)
	}
	for n, heads := range m.heads {
		if len(heads) > branches {
			t.Errorf("%d first words of %d words", len(heads), n)
		}
	}
	again := newMiner(50)
	again.restore(m.all())
	if _, fresh := again.add("this one is seen again and again", now); fresh || len(again.all()) != 50 {
		t.Error("forgotten")
	}
}

// FuzzMask holds to what must be so of any line: what is masked stays so, and a
// password never shows.
func FuzzMask(f *testing.F) {
	f.Add("order 1 password=abc x", "abc")
	f.Add(`{"token": "x"}`, "x-1")
	f.Fuzz(func(t *testing.T, line, secret string) {
		if got := masked(line); len(got) > 12*len(line)+16 {
			t.Errorf("%q: %q", line, got)
		}
		plain := strings.Map(func(r rune) rune {
			if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || strings.ContainsRune("-_.~!$%^*+/", r) {
				return r
			}
			return -1
		}, secret)
		if len(plain) > 12 && strings.Contains(masked("login password="+plain+" ok"), plain) {
			t.Errorf("%q shows", plain)
		}
		m := newMiner(10)
		for range 2 {
			m.add(masked(line), time.Time{})
		}
	})
}
