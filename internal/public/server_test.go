package public

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
)

const token = "abcdefghijklmnopqrstuvwxyz"

// acks is one thing to acknowledge, behind token.
type acks struct {
	mu    sync.Mutex
	by    []string // who acknowledged
	over  bool
	fails error
	shown notify.Shown
}

func (a *acks) Look(_ context.Context, got string) (notify.Shown, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fails != nil {
		return notify.Shown{}, a.fails
	}
	if got != token || a.over {
		return notify.Shown{}, continuity.E(continuity.CodeNotFound, nil)
	}
	s := a.shown
	if len(a.by) > 0 {
		s.Done, s.By, s.At = true, a.by[0], time.Now()
	}
	return s, nil
}

func (a *acks) Acknowledge(ctx context.Context, got, by string) (notify.Shown, error) {
	if s, err := a.Look(ctx, got); err != nil || s.Done {
		return s, err
	}
	a.mu.Lock()
	a.by = append(a.by, by)
	a.mu.Unlock()
	return a.Look(ctx, got)
}

func (a *acks) set(change func(*acks)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(a)
}

func (a *acks) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.by)
}

// provider is a channel whose provider signs with a word.
type provider struct {
	mu   sync.Mutex
	took []notify.Event
	fail error
}

func (p *provider) Receive(r *http.Request, body []byte) (notify.Answer, []notify.Event, error) {
	if r.Method == http.MethodGet {
		return notify.Answer{Type: "text/plain", Body: []byte(r.URL.Query().Get("echo"))}, nil, nil
	}
	if r.Header.Get("Signature") != "good" {
		return notify.Answer{}, nil, errors.New("signature")
	}
	return notify.Answer{Status: http.StatusAccepted, Type: "application/json", Body: []byte(`{"errcode":0}`)}, []notify.Event{{Kind: notify.EventReply, Text: string(body)}}, nil
}

func (p *provider) take(_ context.Context, events []notify.Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail == nil {
		p.took = append(p.took, events...)
	}
	return p.fail
}

type rig struct {
	t        *testing.T
	server   *Server
	acks     *acks
	provider *provider
	base     string
}

func newRig(t *testing.T, before ...func(*Server)) *rig {
	t.Helper()
	r := &rig{t: t, provider: &provider{}, acks: &acks{shown: notify.Shown{
		ID: "o.n-1", Service: "orders", Subject: continuity.Text{En: "Orders <b>are</b> down", Zh: "订单不可用"}, Since: time.Now(), Urgent: true, Person: "li.wei",
	}}}
	server, err := New(Options{
		Listen: "127.0.0.1:0", URL: "https://ack.example.com", Acks: r.acks, Log: slog.New(slog.DiscardHandler),
		Inbound: func(id string) (Inbound, bool) { return Inbound{r.provider, r.provider.take}, id == "sms" },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range before {
		change(server)
	}
	if err := server.Start(t.Context(), func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	r.server, r.base = server, "http://"+server.Addr()
	return r
}

// ask sends a request and returns the status, the head and the body of its answer.
func (r *rig) ask(method, path, body string, fields ...string) (int, http.Header, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.base+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}

var formField = regexp.MustCompile(`name="form" value="([^"]+)"`)

// form reads the page and returns what its form sends.
func (r *rig) form() string {
	r.t.Helper()
	_, _, page := r.ask("GET", "/a/"+token, "")
	found := formField.FindStringSubmatch(page)
	if found == nil {
		r.t.Fatalf("no form:\n%s", page)
	}
	return url.Values{"form": {found[1]}}.Encode()
}

func TestOnlyThePagesFormAcknowledges(t *testing.T) {
	r := newRig(t, func(s *Server) { s.pages.burst = 100 })
	form := r.form()
	for _, c := range []struct {
		name, method, path, body string
		fields                   []string
	}{
		{"a preview", "GET", "/a/" + token, "", []string{"User-Agent", "Slackbot-LinkExpanding 1.0"}},
		{"a scanner", "HEAD", "/a/" + token, "", nil},
		{"the form in the address", "GET", "/a/" + token + "?" + form, "", nil},
		{"nothing", "POST", "/a/" + token, "", nil},
		{"the form in the address of a POST", "POST", "/a/" + token + "?" + form, "", nil},
		{"another token's form", "POST", "/a/" + token, "form=" + formOf(token[1:]+"a"), nil},
		{"another page", "POST", "/a/" + token, form, []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://ack.example.com"}},
		{"another host of the site", "POST", "/a/" + token, form, []string{"Sec-Fetch-Site", "same-site"}},
		{"another origin", "POST", "/a/" + token, form, []string{"Origin", "https://evil.example"}},
		{"the origin without TLS", "POST", "/a/" + token, form, []string{"Origin", "http://ack.example.com"}},
		{"no form's type", "POST", "/a/" + token, form, []string{"Content-Type", "text/plain"}},
		{"too long", "POST", "/a/" + token, form + "&x=" + strings.Repeat("x", 8<<10), nil},
		{"another method", "PUT", "/a/" + token, form, nil},
		{"another token", "POST", "/a/" + token[1:] + "a", "form=" + formOf(token[1:]+"a"), nil},
	} {
		status, _, page := r.ask(c.method, c.path, c.body, c.fields...)
		if c.method == "POST" && status == http.StatusOK || r.acks.count() != 0 {
			t.Errorf("%s acknowledged: %d\n%s", c.name, status, page)
		}
	}
	status, _, page := r.ask("POST", "/a/"+token, form, "Sec-Fetch-Site", "same-origin", "Origin", "null")
	if status != http.StatusOK || r.acks.count() != 1 || !strings.Contains(page, "has seen it") || strings.Contains(page, "<button") {
		t.Errorf("%d, %d\n%s", status, r.acks.count(), page)
	}
}

func TestBrowsersOfAllAgesCanAcknowledge(t *testing.T) {
	for name, fields := range map[string][]string{
		"new":                  {"Sec-Fetch-Site", "same-origin", "Origin", "null"},
		"older":                {"Origin", "https://ack.example.com"},
		"older, no referrer":   {"Origin", "null"},
		"oldest":               nil,
		"of a form with extra": {"Content-Type", "application/x-www-form-urlencoded; charset=UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if status, _, page := r.ask("POST", "/a/"+token, r.form(), fields...); status != http.StatusOK || r.acks.count() != 1 {
				t.Errorf("%d\n%s", status, page)
			}
		})
	}
}

func TestThePage(t *testing.T) {
	r := newRig(t)
	status, head, page := r.ask("GET", "/a/"+token, "")
	if status != http.StatusOK || len(page) > 10<<10 || strings.Contains(page, "<script") || strings.Contains(page, "<b>are") || !strings.Contains(page, "Orders &lt;b&gt;") {
		t.Errorf("%d, %d bytes\n%s", status, len(page), page)
	}
	_, rest, _ := strings.Cut(page, "<style>")
	css, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(css))
	for field, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"Referrer-Policy":         "no-referrer", "X-Robots-Tag": "noindex, nofollow, noarchive", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
	} {
		if got := head.Get(field); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
	if !strings.Contains(css, "prefers-color-scheme:dark") {
		t.Error("nothing for the dark")
	}
	for query, accept := range map[string]string{"?lang=zh": "en", "": "zh-CN,zh;q=0.9"} {
		if _, _, page := r.ask("GET", "/a/"+token+query, "", "Accept-Language", accept); !strings.Contains(page, "我已知悉") || !strings.Contains(page, "订单不可用") || !strings.Contains(page, `lang="zh-CN"`) {
			t.Errorf("%q %q:\n%s", query, accept, page)
		}
	}
	if strings.Contains(page, `name="by"`) {
		t.Error("who is known is asked for a name")
	}
	r.acks.set(func(a *acks) { a.shown.Person = "" })
	if _, _, page = r.ask("GET", "/a/"+token, ""); !strings.Contains(page, `name="by"`) {
		t.Error("nobody says who they are")
	}
	if r.ask("POST", "/a/"+token, r.form()+"&by=Sun+Lan"); r.acks.count() != 1 || r.acks.by[0] != "Sun Lan" {
		t.Error(r.acks.by)
	}
}

// TestWhatOpensNothingGetsOneAnswer compares what is told of tokens that are wrong,
// unknown and over, and of what is not served at all.
func TestWhatOpensNothingGetsOneAnswer(t *testing.T) {
	r := newRig(t)
	r.acks.set(func(a *acks) { a.over = true })
	var first string
	for _, path := range []string{"/a/" + token, "/a/zzzz", "/a/" + token[1:] + "a", "/a/", "/", "/api/v1/plans", "/healthz"} {
		for _, method := range []string{"GET", "POST"} {
			status, _, page := r.ask(method, path, "form="+formOf(token))
			if first == "" {
				first = page
			}
			if status != http.StatusNotFound || page != first {
				t.Errorf("%s %s: %d\n%s", method, path, status, page)
			}
		}
	}
	r.acks.set(func(a *acks) { a.over, a.fails = false, continuity.E(continuity.CodeDatabase, nil) })
	if status, _, page := r.ask("GET", "/a/"+token, ""); status != http.StatusServiceUnavailable || !strings.Contains(page, "try again") {
		t.Errorf("%d\n%s", status, page)
	}
}

func TestProvidersSpeakToTheirChannel(t *testing.T) {
	r := newRig(t)
	status, head, body := r.ask("POST", "/in/sms", "收到", "Signature", "good", "Content-Type", "application/json")
	if status != http.StatusAccepted || body != `{"errcode":0}` || head.Get("Content-Type") != "application/json" || len(r.provider.took) != 1 || r.provider.took[0].Text != "收到" {
		t.Errorf("%d, %s, %+v", status, body, r.provider.took)
	}
	if status, _, body = r.ask("GET", "/in/sms?echo=challenge", ""); status != http.StatusOK || body != "challenge" {
		t.Errorf("%d, %s", status, body)
	}
	for name, c := range map[string]struct {
		path, body, signature string
		status                int
	}{
		"forged":         {"/in/sms", "x", "bad", http.StatusForbidden},
		"no channel":     {"/in/mail", "x", "good", http.StatusNotFound},
		"as much as may": {"/in/sms", strings.Repeat("x", mostBody), "good", http.StatusAccepted},
		"too much":       {"/in/sms", strings.Repeat("x", mostBody+1), "good", http.StatusRequestEntityTooLarge},
	} {
		if status, _, body := r.ask("POST", c.path, c.body, "Signature", c.signature); status != c.status {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	r.provider.mu.Lock()
	r.provider.fail = continuity.E(continuity.CodeDatabase, nil)
	r.provider.mu.Unlock()
	if status, _, _ := r.ask("POST", "/in/sms", "x", "Signature", "good"); status != http.StatusServiceUnavailable {
		t.Errorf("what could not be noted got %d", status)
	}
}

// TestAnUnknownChannelIsRefusedBeforeItsBody never sends the body that it promises.
func TestAnUnknownChannelIsRefusedBeforeItsBody(t *testing.T) {
	r := newRig(t)
	conn, err := net.Dial("tcp", r.server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "POST /in/none HTTP/1.1\r\nHost: ack.example.com\r\nContent-Length: 1000000\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != http.StatusNotFound {
		t.Fatal(res, err)
	}
	_ = res.Body.Close()
}

// TestSlowBodiesEnd has a client that sends one byte and then nothing.
func TestSlowBodiesEnd(t *testing.T) {
	r := newRig(t, func(s *Server) {
		if s.http.ReadTimeout > 30*time.Second || s.http.WriteTimeout > time.Minute || s.http.ReadHeaderTimeout > 10*time.Second {
			t.Error("strangers may hold a connection for long")
		}
		s.http.ReadTimeout = 200 * time.Millisecond
	})
	conn, err := net.Dial("tcp", r.server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "POST /in/sms HTTP/1.1\r\nHost: ack.example.com\r\nSignature: good\r\nContent-Length: 1000\r\n\r\nx"); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != http.StatusBadRequest {
		t.Fatal(res, err)
	}
	_ = res.Body.Close()
	if len(r.provider.took) != 0 {
		t.Error("half a body was taken")
	}
}

func TestWhoAsksTooOftenWaits(t *testing.T) {
	r := newRig(t)
	last := 0
	for range 40 {
		last, _, _ = r.ask("GET", "/a/"+token, "", "X-Forwarded-For", "203.0.113.9, 198.51.100.7")
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the 40th request got %d", last)
	}
	if status, _, _ := r.ask("GET", "/a/"+token, "", "X-Forwarded-For", "198.51.100.7, 203.0.113.9"); status != http.StatusOK {
		t.Errorf("somebody else got %d", status)
	}
}

func TestTheTableOfAddressesIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, 2)
		address := func(i int) netip.Prefix {
			return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
		}
		for i := range mostKnown {
			if !l.allow(address(i), time.Now()) {
				t.Fatal(i)
			}
		}
		// Further ones share what one has.
		got := 0
		for i := range 10 {
			if l.allow(address(mostKnown+i), time.Now()) {
				got++
			}
		}
		if got != 2 || len(l.known) != mostKnown {
			t.Errorf("%d of 10, %d known", got, len(l.known))
		}
		time.Sleep(5 * time.Second)
		if !l.allow(address(2*mostKnown), time.Now()) || len(l.known) != 1 {
			t.Errorf("%d known", len(l.known))
		}
	})
}

func TestFrom(t *testing.T) {
	for _, c := range []struct {
		remote, said, want string
	}{
		{"198.51.100.7:1", "", "198.51.100.7/32"},
		{"198.51.100.7:1", "203.0.113.9", "198.51.100.7/32"}, // a stranger's word
		{"127.0.0.1:1", "203.0.113.9", "203.0.113.9/32"},
		{"10.0.0.2:1", "1.1.1.1, 203.0.113.9", "203.0.113.9/32"},
		{"127.0.0.1:1", "nobody", "127.0.0.1/32"},
		{"[2001:db8:1:2:3::4]:1", "", "2001:db8:1:2::/64"},
		{"[::ffff:198.51.100.7]:1", "", "198.51.100.7/32"},
	} {
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{}}
		if c.said != "" {
			r.Header.Set("X-Forwarded-For", c.said)
		}
		if got := from(r).String(); got != c.want {
			t.Errorf("%s %q: %s, want %s", c.remote, c.said, got, c.want)
		}
	}
}
