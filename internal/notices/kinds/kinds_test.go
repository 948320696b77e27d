package kinds_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"holdfast/internal/notices"
	"holdfast/internal/notices/extract"
	"holdfast/internal/notices/feed"
	"holdfast/internal/notices/kinds"
	"holdfast/internal/notices/page"
	"holdfast/internal/notices/statuspage"
	"holdfast/internal/outgoing"
	"holdfast/internal/outgoing/fetch"
)

var now = time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC)

// tools reach this machine.
func tools(t *testing.T) *notices.Tools {
	t.Helper()
	rules, err := outgoing.Rules("127.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	guard := outgoing.New(outgoing.NewPolicy(rules...), nil)
	return &notices.Tools{
		Client: func(*notices.Spec) (*http.Client, error) { return guard.Client(outgoing.Options{Body: 16 << 20}), nil },
		Now:    func() time.Time { return now },
	}
}

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// site serves what the test puts there, and answers with 304 what was not changed.
type site struct {
	*httptest.Server

	body    []byte
	kind    string
	coding  string
	asked   int
	unasked int
}

func serve(t *testing.T) *site {
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked++
		mark := `"` + string(rune('a'+len(s.body)%26)) + `"`
		if r.Header.Get("If-None-Match") == mark {
			s.unasked++
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", mark)
		w.Header().Set("Content-Type", s.kind)
		if s.coding != "" {
			w.Header().Set("Content-Encoding", s.coding)
		}
		_, _ = w.Write(s.body)
	}))
	t.Cleanup(s.Close)
	return s
}

func source(t *testing.T, s notices.Spec) notices.Source {
	t.Helper()
	if s.Zone == nil {
		s.Zone = time.UTC
	}
	source, err := kinds.New(&s, tools(t))
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func read(t *testing.T, s notices.Source, from json.RawMessage) notices.Look {
	t.Helper()
	look, err := s.Read(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	return look
}

func byKey(t *testing.T, look notices.Look, key string) notices.Item {
	t.Helper()
	for _, item := range look.Items {
		if item.Key == key {
			return item
		}
	}
	t.Fatalf("no %s among %+v", key, look.Items)
	return notices.Item{}
}

func TestStatusPage(t *testing.T) {
	s := serve(t)
	s.body = file(t, "summary.json")
	from := source(t, notices.Spec{Kind: "statuspage", URL: s.URL})
	look := read(t, from, nil)
	if !look.Whole || look.Left != 2 || len(look.Items) != 4 {
		t.Errorf("%+v", look)
	}
	incident := byKey(t, look, "incident:i1")
	if incident.Stated.Kind != extract.Outage || incident.Stated.Level != extract.Orange || incident.Stated.Start.Minute() != 31 ||
		!slices.Equal(incident.Stated.Affected, []string{"Messages"}) || !strings.HasPrefix(incident.Text, "2026-11-20 02:58 UTC identified: We have found the cause & are") ||
		incident.Written.Minute() != 58 || incident.URL != "https://stspg.example/i1" {
		t.Errorf("%+v", incident)
	}
	window := byKey(t, look, "incident:m1")
	if window.Stated.Kind != extract.Maintenance || !window.Stated.Start.Equal(time.Date(2026, 11, 30, 18, 0, 0, 0, time.UTC)) || window.Stated.End.Hour() != 22 {
		t.Errorf("%+v", window)
	}
	if done := byKey(t, look, "incident:m2"); done.Stated.Kind != extract.Resolved {
		t.Errorf("%+v", done)
	}
	if part := byKey(t, look, "component:c3"); part.Stated.Level != extract.Yellow {
		t.Errorf("%+v", part)
	}
	if again := read(t, from, look.Next); !again.Same || s.unasked != 1 {
		t.Errorf("%+v", again)
	}
	if some := read(t, source(t, notices.Spec{Kind: "statuspage", URL: s.URL, Components: []string{"login"}}), nil); len(some.Items) != 2 {
		t.Errorf("%+v", some.Items)
	}
	for _, src := range []string{`{}`, `[]`, `<html>`, ``, `{"incidents":[null,1,{"id":1}]`, `{"page":{}}`} {
		if _, err := statuspage.Parse([]byte(src), nil); err == nil {
			t.Errorf("%s is a status page", src)
		}
	}
	odd, err := statuspage.Parse([]byte(`{"incidents":[{"id":"x","name":"n","status":"new thing","scheduled_for":"soon","incident_updates":null,"components":null},{"id":"y","name":"n","status":"investigating","created_at":12}]}`), nil)
	if err != nil || len(odd.Items) != 2 || odd.Whole || odd.Items[0].Stated.Kind != "" {
		t.Errorf("%+v, %v", odd, err)
	}
}

func TestFeeds(t *testing.T) {
	s := serve(t)
	s.body = file(t, "feed.atom")
	from := source(t, notices.Spec{Kind: "feed", URL: s.URL})
	look := read(t, from, nil)
	if len(look.Items) != 1 || look.Left != 1 || look.Whole {
		t.Fatalf("%+v", look)
	}
	item := look.Items[0]
	if item.Key != "tag:status.messenger.example,2005:Incident/11" || item.Text != "THIS IS A SCHEDULED EVENT Dec 1, 02:00 - 06:00 UTC" || item.Written.Hour() != 1 {
		t.Errorf("%+v", item)
	}
	if again := read(t, from, look.Next); !again.Same {
		t.Errorf("%+v", again)
	}
	s.body = file(t, "feed.rss")
	if look = read(t, from, look.Next); len(look.Items) != 1 || look.Items[0].Key != "7" || look.Items[0].Title != "【维护】消息服务升级" || !look.Items[0].Written.Equal(time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", look)
	}
}

func TestCalendars(t *testing.T) {
	s := serve(t)
	s.body = file(t, "work.ics")
	look := read(t, source(t, notices.Spec{Kind: "ical", URL: s.URL}), nil)
	if len(look.Items) != 4 { // w1, two patch days within the horizon, and what is cancelled
		t.Fatalf("%+v", look.Items)
	}
	if one := byKey(t, look, "w1"); one.Text != "Servers are upgraded." || !one.Stated.End.Equal(time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", one)
	}
	byKey(t, look, "w2@2026-11-21T18:00:00Z")
	byKey(t, look, "w2@2026-12-26T18:00:00Z")
	if off := byKey(t, look, "w3"); off.Stated.Kind != extract.Cancelled {
		t.Errorf("%+v", off)
	}
}

func TestPages(t *testing.T) {
	s := serve(t)
	s.body, s.kind = file(t, "page.html"), "text/html; charset=utf-8"
	look := read(t, source(t, notices.Spec{Kind: "page", URL: s.URL + "/status", Selector: "li.notice"}), nil)
	if len(look.Items) != 2 || look.Items[0].URL != s.URL+"/notice/1" || look.Items[0].Text != "Login maintenance 2026-12-01 02:00-06:00 UTC" || look.Items[1].Text != "消息服务故障处理中" {
		t.Errorf("%+v", look.Items)
	}

	whole := source(t, notices.Spec{Kind: "page", URL: s.URL, Selector: "#notices"})
	look = read(t, whole, nil)
	if len(look.Items) != 1 || !look.Items[0].Quiet || strings.Contains(look.Items[0].Text, "Home") {
		t.Errorf("%+v", look.Items)
	}
	s.body = bytes.Replace(s.body, []byte("</ul>"), []byte("<li>New: messages down</li></ul>"), 1)
	if look = read(t, whole, look.Next); len(look.Items) != 1 || look.Items[0].Text != "New: messages down" || look.Items[0].Quiet {
		t.Errorf("%+v", look.Items)
	}
	s.body = append(s.body, ' ') // the same lines
	if look = read(t, whole, look.Next); len(look.Items) != 0 || look.Same {
		t.Errorf("%+v", look)
	}

	// In the character set that it is written in.
	gbk, err := simplifiedchinese.GB18030.NewEncoder().String("<html><body><p>紧急维护公告</p></body></html>")
	if err != nil {
		t.Fatal(err)
	}
	s.body, s.kind = []byte(gbk), "text/html; charset=gb2312"
	if look = read(t, source(t, notices.Spec{Kind: "page", URL: s.URL}), nil); look.Items[0].Text != "紧急维护公告" {
		t.Errorf("%+v", look.Items)
	}

	// A selector that finds nothing is no page without news.
	_, err = source(t, notices.Spec{Kind: "page", URL: s.URL, Selector: "#gone"}).Read(t.Context(), nil)
	if f := new(fetch.Failure); !errors.As(err, &f) || f.Why != fetch.Format {
		t.Error(err)
	}
}

// TestHostileDocuments feeds each kind what costs or confuses parsers.
func TestHostileDocuments(t *testing.T) {
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	if _, err := io.CopyN(w, zeros{}, 24<<20); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	entities := `<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
		<!ENTITY x SYSTEM "file:///etc/passwd">]><rss version="2.0"><channel><item><title>&c;&x;</title><guid>1</guid></item></channel></rss>`
	deep := strings.Repeat("<div>", 60_000)
	s := serve(t)
	for name, body := range map[string][]byte{
		"entities": []byte(entities), "deep XML": []byte("<rss><channel>" + strings.Repeat("<a>", 90_000)), "deep HTML": []byte(deep),
		"deep JSON": []byte(strings.Repeat(`{"incidents":[`, 100_000)), "a bomb": bomb.Bytes(), "nothing": nil, "zeros": make([]byte, 1<<20),
		"much":       bytes.Repeat([]byte("<p>maintenance 02:00-04:00</p>"), 120_000),
		"many":       []byte("<rss version='2.0'><channel>" + strings.Repeat("<item><title>x</title></item>", 20_000) + "</channel></rss>"),
		"a calendar": []byte("BEGIN:VCALENDAR\n" + strings.Repeat("BEGIN:VEVENT\nUID:a\nDTSTART:20261201T000000Z\nRRULE:FREQ=DAILY\nEND:VEVENT\n", 900) + "END:VCALENDAR"),
	} {
		s.body, s.kind, s.coding = body, "", ""
		if name == "a bomb" {
			s.coding = "gzip"
		}
		for kind := range kinds.All {
			if kind == "mailbox" {
				continue
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			look, err := source(t, notices.Spec{Kind: kind, URL: s.URL}).Read(ctx, nil)
			if cancel(); errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %s has no end", kind, name)
			}
			if len(look.Items) > 200 {
				t.Errorf("%s: %s: %d items", kind, name, len(look.Items))
			}
			for _, item := range look.Items {
				if len(item.Text) > 8<<10 || strings.Contains(item.Title, "root:") || strings.Contains(item.Title, "aaaaaaaaaaaaaaaaaaaaa") {
					t.Errorf("%s: %s: %.80q", kind, name, item.Title)
				}
			}
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func FuzzDocuments(f *testing.F) {
	for _, name := range []string{"summary.json", "feed.atom", "feed.rss", "page.html"} {
		f.Add(file(f, name))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		var items []notices.Item
		if look, err := statuspage.Parse(src, nil); err == nil {
			items = append(items, look.Items...)
		}
		if look, err := feed.Parse(src); err == nil {
			items = append(items, look.Items...)
		}
		if look, lines, err := page.Parse(src, "", "li", nil, true); err == nil {
			items = append(items, look.Items...)
			if len(lines) > 400 {
				t.Errorf("%d lines", len(lines))
			}
		}
		for _, item := range items {
			if len(item.Text) > 16<<10 {
				t.Errorf("%d bytes", len(item.Text))
			}
		}
	})
}
