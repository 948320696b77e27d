package httpsend

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/notifytest"
	"holdfast/internal/outgoing"
	"holdfast/internal/secret"
)

func TestSay(t *testing.T) {
	const link = "https://ack.example/a/token"
	for _, c := range []struct {
		subject, text, link string
		most                int
		size                Size
		want                string
	}{
		{"Subject", "text\n", link, 100, Runes, "Subject\ntext\n" + link},
		{"", "text", "", 100, Runes, "text"},
		{"Subject", "", link, 100, Runes, "Subject\n" + link},
		{"Subject", "Subject and more", "", 100, Runes, "Subject and more"},
		{"", "see " + link + ", now", link, 100, Runes, "see " + link + ", now"},
		{"", "see " + link + ", now", link, len("\n"+link) + 6, Runes, "see h…\n" + link},
		{"", "火火火火", link, len("\n"+link) + 3, Runes, "火火…\n" + link},
		{"", "火火火火", link, len("\n"+link) + 9, Bytes, "火火…\n" + link},
		{"", "火火火火", link, len("\n"+link) + 12, Bytes, "火火火火\n" + link},
		{"", "a👨‍👩‍👧b", "", 8, Units, "a…"}, // a family is 8 units, and is not torn apart
		{"", "a👨‍👩‍👧b", "", 10, Units, "a👨‍👩‍👧b"},
		{"", "one two three", "", 9, Runes, "one two…"},
		{"", "text", link, 5, Runes, link}, // there is no room for more
		{"a\x00b\x1b[31m", "c\r\nd\te\u2028f\u202eg\xff", "", 100, Runes, "ab[31m\nc\nd e\nfg\ufffd"},
	} {
		got := Say(&notify.Message{Subject: c.subject, Text: c.text, Link: c.link}, c.most, c.size)
		if got != c.want {
			t.Errorf("%q, %q: %q, want %q", c.subject, c.text, got, c.want)
		}
	}
	if got := Part("<@a> < b", "<"); got != "<\u2060@a> <\u2060 b" {
		t.Errorf("%q", got)
	}
}

func TestJSONIsSentAsItStands(t *testing.T) {
	req, err := JSON(t.Context(), "https://x.example/", map[string]string{"a": "<b> & 火"})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil || strings.TrimSpace(string(body)) != `{"a":"<b> & 火"}` || req.GetBody == nil || req.Method != http.MethodPost {
		t.Errorf("%s, %v", body, err)
	}
	for _, try := range []struct {
		address string
		value   any
		want    string
	}{{"https://x.example/\x7f", 1, notify.FailSettings}, {"https://x.example/", func() {}, notify.FailContent}} {
		_, err := JSON(t.Context(), try.address, try.value)
		if f := notifytest.Failed(t, err); f.Code != try.want || f.Retry {
			t.Errorf("%+v", *f)
		}
	}
}

func TestAnswers(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	codes := Codes{"busy": {Code: notify.FailProvider, Retry: true}, "fast": {Code: notify.FailRate, Retry: true, After: time.Minute}}
	for _, c := range []struct {
		status int
		after  string
		code   string
		want   notify.Failure
	}{
		{200, "", "busy", notify.Failure{Code: notify.FailProvider, Retry: true, Status: 200, Said: "busy"}},
		{200, "", "new_one", notify.Failure{Code: notify.FailUnknown, Retry: true, Status: 200, Said: "new_one"}},
		{200, "", "it is https://x.example/secret", notify.Failure{Code: notify.FailUnknown, Retry: true, Status: 200}},
		{429, "90", "fast", notify.Failure{Code: notify.FailRate, Retry: true, After: 90 * time.Second, Status: 429, Said: "fast"}},
		{429, "9", "fast", notify.Failure{Code: notify.FailRate, Retry: true, After: time.Minute, Status: 429, Said: "fast"}},
		{503, "9", "", notify.Failure{Code: notify.FailProvider, Retry: true, After: 9 * time.Second, Status: 503}},
		{403, "", "new", notify.Failure{Code: notify.FailRefused, Status: 403, Said: "new"}},
	} {
		a := &Answer{Status: c.status, Header: http.Header{"Retry-After": {c.after}}}
		if got := a.Failure(codes, c.code, now); *got != c.want {
			t.Errorf("%d %s: %+v, want %+v", c.status, c.code, *got, c.want)
		}
	}
}

func TestAnAnswerIsBounded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("User-Agent") != "Holdfast" {
			t.Error(r.Header)
		}
		if r.URL.Path == "/cut" {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"ok":`)
			return
		}
		_ = json.NewEncoder(w).Encode(strings.Repeat("x", 3<<20))
	}))
	defer server.Close()
	client := notifytest.Tools(t, nil).Client(outgoing.Options{})
	for path, want := range map[string]bool{"/long": true, "/cut": false} {
		req, err := JSON(t.Context(), server.URL+path, 1)
		if err != nil {
			t.Fatal(err)
		}
		a, err := Ask(client, req)
		if !want {
			if f := notifytest.Failed(t, err); f.Code != notify.FailUncertain || !f.Maybe {
				t.Errorf("%+v", *f)
			}
			continue
		}
		var said any
		if err != nil || len(a.Body) > mostAnswer || a.Read(&said) {
			t.Errorf("%v, %v", err, said)
		}
		if f := a.Strange(); f.Code != notify.FailProvider || !f.Retry || !f.Maybe {
			t.Errorf("%+v", *f)
		}
	}
}

func TestHooksAreSecret(t *testing.T) {
	tools := notifytest.Tools(t, map[string]string{
		"KEY": "a/b?c=d&e\n", "WHOLE": " https://hooks.example/x?key=y ", "EMPTY": " ", "USER": "https://u:p@hooks.example/", "SCHEME": "file:///etc/passwd", "BROKEN": "https://%zz/",
	})
	for name, want := range map[string]string{
		"KEY": "https://api.example/send?key=a%2Fb%3Fc%3Dd%26e", "WHOLE": "https://hooks.example/x?key=y",
		"EMPTY": "", "USER": "", "SCHEME": "", "BROKEN": "", "MISSING": "",
	} {
		u, err := Hook(tools, secret.Ref{Name: name}, "https://api.example/send?key=")
		if want == "" {
			if f := notifytest.Failed(t, err); f.Code != notify.FailSettings || f.Retry {
				t.Errorf("%s: %+v", name, *f)
			}
			continue
		}
		if err != nil || u.String() != want {
			t.Errorf("%s: %v, %v", name, u, err)
		}
	}
	if text, err := Optional(tools, nil); text != "" || err != nil {
		t.Error(err)
	}
	if _, err := Optional(tools, &secret.Ref{Name: "MISSING"}); err == nil {
		t.Error("a secret that is named and is not there is none")
	}
}
