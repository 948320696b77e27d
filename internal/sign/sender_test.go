package sign_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/sign"
	"holdfast/internal/upstream"
)

// provider is the other side: it issues tokens that live for a time and takes
// requests that bear the newest.
type provider struct {
	mu      sync.Mutex
	issued  int
	taken   int
	refused int
	bodies  []string
	secret  string
	slow    chan struct{}
	broken  int // so many token requests get 500
	expires int
	until   time.Time
}

func (p *provider) token() string { return fmt.Sprint("token-", p.issued) }

func (p *provider) issue() string {
	p.issued++
	p.until = time.Now().Add(time.Duration(p.expires) * time.Second)
	return p.token()
}

func (p *provider) revoke() { p.mu.Lock(); p.issued += 100; p.mu.Unlock() }

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	asked := map[string]string{}
	_ = json.Unmarshal(body, &asked)
	answer := func(status int, format string, args ...any) {
		w.WriteHeader(status)
		fmt.Fprintf(w, format, args...)
	}
	ask := func(given string) bool {
		if p.slow != nil {
			p.mu.Unlock()
			<-p.slow
			p.mu.Lock()
		}
		if p.broken > 0 {
			p.broken--
			answer(500, `{}`)
			return false
		}
		return given == p.secret
	}
	good := func(given string) bool {
		if given == p.token() && time.Now().Before(p.until) {
			p.taken++
			p.bodies = append(p.bodies, string(body))
			return true
		}
		p.refused++
		return false
	}
	switch q := r.URL.Query(); {
	case r.URL.Path == "/cgi-bin/gettoken" && q.Get("corpid") == "corp":
		if ask(q.Get("corpsecret")) {
			answer(200, `{"errcode":0,"access_token":%q,"expires_in":%d}`, p.issue(), p.expires)
		} else if p.broken == 0 {
			answer(200, `{"errcode":40001,"errmsg":"invalid credential"}`)
		}
	case r.URL.Path == "/gettoken":
		if ask(q.Get("appsecret")) {
			answer(200, `{"errcode":0,"access_token":%q,"expires_in":%d}`, p.issue(), p.expires)
		}
	case r.URL.Path == "/v1.0/oauth2/accessToken":
		if ask(asked["appSecret"]) {
			answer(200, `{"accessToken":%q,"expireIn":%d}`, p.issue(), p.expires)
		}
	case r.URL.Path == "/open-apis/auth/v3/tenant_access_token/internal":
		if ask(asked["app_secret"]) {
			answer(200, `{"code":0,"tenant_access_token":%q,"expire":%d}`, p.issue(), p.expires)
		}
	case strings.HasPrefix(r.URL.Path, "/v1.0/"):
		if good(r.Header.Get("x-acs-dingtalk-access-token")) {
			answer(200, `{"processQueryKey":"k"}`)
		} else {
			answer(400, `{"code":"InvalidAuthentication","message":"no"}`)
		}
	case strings.HasPrefix(r.URL.Path, "/open-apis/"):
		if good(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")) {
			answer(200, `{"code":0}`)
		} else {
			answer(400, `{"code":99991663,"msg":"token invalid"}`)
		}
	default:
		if good(q.Get("access_token")) {
			answer(200, `{"errcode":0}`)
		} else {
			answer(200, `{"errcode":42001}`)
		}
	}
}

// roundTrip is an upstream.Sender before a handler.
type roundTrip struct{ handler http.Handler }

func (d roundTrip) Send(_ context.Context, a upstream.Attempt) upstream.Result {
	r := httptest.NewRequest(a.Method, "http://"+a.Host+a.Target, a.Body)
	for _, f := range a.Header {
		r.Header.Add(f.Name, f.Value)
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	res := upstream.Result{Class: upstream.Answered, Status: w.Code, Body: io.NopCloser(w.Body), Length: int64(w.Body.Len())}
	for name, values := range w.Header() {
		res.Header = append(res.Header, continuity.Field{Name: name, Value: values[0]})
	}
	return res
}

func newSender(t *testing.T, by string, p *provider) *sign.Sender {
	t.Helper()
	next := roundTrip{p}
	s, err := sign.New(continuity.Sign{By: by, ID: "corp", Secret: "s3cret"}, next)
	if err != nil {
		t.Fatal(err)
	}
	return sign.NewSender(next, s)
}

func message(target string) upstream.Attempt {
	body := `{"touser":"u"}`
	return upstream.Attempt{
		Method: "POST", Target: target, Host: "provider.test", Length: int64(len(body)), Body: strings.NewReader(body),
		Header: []continuity.Field{{Name: "Authorization", Value: "client's own"}, {Name: "Accept-Encoding", Value: "gzip"}},
	}
}

var tokenSigners = map[string]string{
	"wecom": "/cgi-bin/message/send?debug=1", "dingtalk": "/v1.0/robot/oToMessages/batchSend", "feishu": "/open-apis/im/v1/messages",
}

func TestTokensAreFetchedKeptAndFetchedAnew(t *testing.T) {
	targets := map[string]string{"dingtalk ": "/topapi/message/corpconversation/asyncsend_v2"}
	for by, target := range tokenSigners {
		targets[by] = target
	}
	for by, target := range targets {
		t.Run(by, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &provider{secret: "s3cret", expires: 7200}
				s := newSender(t, strings.TrimSpace(by), p)
				send := func() {
					t.Helper()
					res, resp := upstream.SendWhole(t.Context(), s, message(target), 1000)
					if resp == nil || resp.Status != 200 {
						t.Fatalf("%+v, %v", resp, res.Err)
					}
				}
				send()
				send()
				if p.issued != 1 || p.taken != 2 || p.refused != 0 {
					t.Errorf("%d tokens, %d taken, %d refused", p.issued, p.taken, p.refused)
				}
				time.Sleep(2*time.Hour - time.Minute) // shortly before the end it is old enough
				send()
				if p.issued != 2 || p.refused != 0 {
					t.Errorf("a token is used to its end: %d tokens, %d refused", p.issued, p.refused)
				}
				p.revoke() // another process took a token, and ours is not good any more
				send()
				if p.refused != 1 || p.taken != 4 {
					t.Errorf("%d refused, %d taken", p.refused, p.taken)
				}
				for _, b := range p.bodies {
					if b != `{"touser":"u"}` {
						t.Errorf("the body became %q", b)
					}
				}
			})
		})
	}
}

// A body that streams can't be sent twice: its client hears the refusal, and
// the next request fares better.
func TestRule4_6_NothingIsSentTwiceThatCannotBeReadTwice(t *testing.T) {
	p := &provider{secret: "s3cret", expires: 7200}
	s := newSender(t, "wecom", p)
	stream := func() *continuity.Response {
		a := message("/cgi-bin/media/upload")
		a.Body = io.MultiReader(a.Body)
		_, resp := upstream.SendWhole(t.Context(), s, a, 1000)
		return resp
	}
	stream()
	p.revoke()
	if resp := stream(); resp == nil || !strings.Contains(string(resp.Body), "42001") {
		t.Errorf("got %+v", resp)
	}
	if stream(); p.taken != 2 || p.refused != 1 {
		t.Errorf("%d taken, %d refused", p.taken, p.refused)
	}
}

// A token that is refused twice is the attempt's answer.
func TestRefusedTwice(t *testing.T) {
	p := &provider{secret: "s3cret", expires: 0}
	s := newSender(t, "wecom", p)
	_, resp := upstream.SendWhole(t.Context(), s, message("/cgi-bin/message/send"), 1000)
	if resp == nil || !strings.Contains(string(resp.Body), "42001") || p.refused != 2 {
		t.Errorf("got %+v after %d refusals", resp, p.refused)
	}
}

func TestOneTokenForMany(t *testing.T) {
	p := &provider{secret: "s3cret", expires: 7200, slow: make(chan struct{})}
	s := newSender(t, "wecom", p)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { upstream.SendWhole(t.Context(), s, message("/cgi-bin/message/send"), 1000) })
	}
	close(p.slow)
	all.Wait()
	if p.issued != 1 || p.taken != 20 {
		t.Errorf("%d tokens, %d taken", p.issued, p.taken)
	}
}

func TestRule4_2_WithoutATokenNothingIsSent(t *testing.T) {
	for name, tt := range map[string]struct {
		p      *provider
		denied bool
	}{
		"wrong secret":   {&provider{secret: "another", expires: 7200}, true},
		"out of service": {&provider{secret: "s3cret", expires: 7200, broken: 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSender(t, "wecom", tt.p)
				for range 5 {
					res := s.Send(t.Context(), message("/cgi-bin/message/send"))
					if res.Class != upstream.Clean || errors.Is(res.Err, upstream.ErrCredentials) != tt.denied || upstream.Blameless(res.Err) {
						t.Fatalf("%+v", res)
					}
					if strings.Contains(res.Err.Error(), "s3cret") {
						t.Errorf("the error tells the secret: %v", res.Err)
					}
				}
				time.Sleep(2 * time.Second)
				if res := s.Send(t.Context(), message("/cgi-bin/message/send")); (res.Class == upstream.Answered) == tt.denied {
					t.Errorf("a moment later: %+v", res)
				}
			})
		})
	}
}

func TestBodiesThatAreSigned(t *testing.T) {
	next := roundTrip{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })}
	signer, _ := sign.New(continuity.Sign{By: "webhook", Secret: "whsec_AAAA"}, next)
	s := sign.NewSender(next, signer)
	attempt := func(body io.Reader, length int64) upstream.Attempt {
		return upstream.Attempt{Method: "POST", Target: "/", Host: "x", Body: body, Length: length, Header: []continuity.Field{{Name: "Idempotency-Key", Value: "k"}}}
	}
	if _, resp := upstream.SendWhole(t.Context(), s, attempt(strings.NewReader("hello"), -1), 100); string(resp.Body) != "hello" {
		t.Errorf("got %q", resp.Body)
	}
	if _, resp := upstream.SendWhole(t.Context(), s, attempt(nil, 0), 100); len(resp.Body) != 0 {
		t.Errorf("got %q", resp.Body)
	}
	for name, a := range map[string]upstream.Attempt{
		"too large":     attempt(bytes.NewReader(nil), 9<<20),
		"grows too big": attempt(io.LimitReader(zeros{}, 9<<20), -1),
		"short":         attempt(strings.NewReader("hell"), 5),
	} {
		res := s.Send(t.Context(), a)
		var unread *http1.BodyError
		if res.Class != upstream.Clean || !errors.As(res.Err, &unread) || !upstream.Blameless(res.Err) {
			t.Errorf("%s: %+v", name, res)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestRewriter(t *testing.T) {
	var got *http.Request
	next := roundTrip{http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r })}
	for target, want := range map[string]string{
		"/wecom/cgi-bin/x?a=1": "/base/cgi-bin/x?a=1", "/wecom": "/base/", "/wecom?a": "/base/?a", "/wecomx/y": "/base/wecomx/y", "/other": "/base/other",
	} {
		r := sign.NewRewriter(next, continuity.Rewrite{Host: "qyapi.test", Strip: "/wecom", Prefix: "/base"})
		a := upstream.Attempt{Method: "GET", Target: target, Host: "relay:9000", Header: []continuity.Field{{Name: "x-forwarded-for", Value: "10.0.0.7"}, {Name: "X-Mine", Value: "1"}}}
		r.Send(t.Context(), a)
		if got.URL.RequestURI() != want || got.Host != "qyapi.test" || got.Header.Get("X-Forwarded-For") != "" || got.Header.Get("X-Mine") != "1" {
			t.Errorf("%s became %s at %s, %v", target, got.URL.RequestURI(), got.Host, got.Header)
		}
		if len(a.Header) != 2 || a.Header[0].Value != "10.0.0.7" {
			t.Error("the caller's header was changed")
		}
	}
}
