package dingtalk

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"holdfast/internal/notify"
	"holdfast/internal/notify/notifytest"
	"holdfast/internal/secret"
)

const (
	token = "566cc69da782ec33e42541b09b08551f09fbe864eb8008112e994b43887"
	key   = "SEC8b3a2c1d0e9f"
)

func channelAt(t *testing.T, url string) notify.Channel {
	t.Helper()
	return channelOf(t, Settings{API: url, Webhook: secret.Ref{Name: "HOOK"}, Secret: &secret.Ref{Name: "KEY"}}, token)
}

func channelOf(t *testing.T, s Settings, hook string) notify.Channel {
	t.Helper()
	c, err := Kind.Open(&s, notifytest.Tools(t, map[string]string{"HOOK": hook, "KEY": key}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// dingtalk answers as the robot does: it verifies token, time and signature, and
// then says what the test wants.
func dingtalk(t *testing.T, sign bool, status int, body string, got *message) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		stamp, err := strconv.ParseInt(query.Get("timestamp"), 10, 64)
		mac := hmac.New(sha256.New, []byte(key))
		fmt.Fprintf(mac, "%d\n%s", stamp, key)
		switch {
		case r.URL.Path != "/robot/send" || query.Get("access_token") != token:
			fmt.Fprint(w, `{"errcode":300001,"errmsg":"token is not exist"}`)
			return
		case sign && (err != nil || time.Since(time.UnixMilli(stamp)).Abs() > time.Hour):
			fmt.Fprint(w, `{"errcode":310000,"errmsg":"invalid timestamp"}`)
			return
		case sign && query.Get("sign") != base64.StdEncoding.EncodeToString(mac.Sum(nil)):
			fmt.Fprint(w, `{"errcode":310000,"errmsg":"sign not match"}`)
			return
		case !sign && query.Has("sign"):
			t.Error("signed")
		}
		*got = message{}
		if err := json.NewDecoder(r.Body).Decode(got); err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			t.Error(err, r.Header)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestSending(t *testing.T) {
	var got message
	server := dingtalk(t, true, 200, `{"errcode":0,"errmsg":"ok"}`, &got)
	m := notifytest.Message()
	m.Text = "@all @13800138000 <b>1 & 2</b>"
	for _, c := range []notify.Channel{
		channelAt(t, server.URL),
		channelOf(t, Settings{API: "http://127.0.0.1:1", Webhook: secret.Ref{Name: "HOOK"}, Secret: &secret.Ref{Name: "KEY"}}, server.URL+"/robot/send?access_token="+token),
	} {
		sent, err := c.Send(t.Context(), m)
		if err != nil || !sent.Arrived {
			t.Fatal(sent, err)
		}
		if got.Type != "text" || got.Text.Content != m.Subject+"\n"+m.Text+"\n"+m.Link || got.At.All || len(got.At.Mobiles)+len(got.At.Users) > 0 {
			t.Errorf("%+v", got)
		}
	}
	m.Text = strings.Repeat("火", 9000)
	if _, err := channelAt(t, server.URL).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if n := utf8.RuneCountInString(got.Text.Content); n != longest || !strings.HasSuffix(got.Text.Content, "…\n"+m.Link) {
		t.Error(n)
	}
	plain := dingtalk(t, false, 200, `{"errcode":0,"errmsg":"ok"}`, &got)
	if _, err := channelOf(t, Settings{API: plain.URL, Webhook: secret.Ref{Name: "HOOK"}}, token).Send(t.Context(), m); err != nil {
		t.Error(err)
	}
	for what, c := range map[string]notify.Channel{
		"sign not match":     channelOf(t, Settings{API: server.URL, Webhook: secret.Ref{Name: "HOOK"}, Secret: &secret.Ref{Name: "OTHER"}}, token),
		"token is not exist": channelOf(t, Settings{API: server.URL, Webhook: secret.Ref{Name: "HOOK"}}, "other"),
	} {
		_, err := c.Send(t.Context(), m)
		if f := notifytest.Failed(t, err); f.Code != notify.FailRefused || f.Retry {
			t.Errorf("%s: %+v", what, *f)
		}
	}
}

func TestWhatDingTalkSays(t *testing.T) {
	for body, want := range map[string]notify.Failure{
		`{"errcode":310000,"errmsg":"keywords not in content, more: [https://ding-doc.dingtalk.com]"}`: {Code: notify.FailContent, Status: 200, Said: "310000"},
		`{"errcode":310000,"errmsg":"invalid timestamp"}`:                                              {Code: notify.FailRefused, Status: 200, Said: "310000"},
		`{"errcode":310000,"errmsg":"ip 203.0.113.5 not in whitelist"}`:                                {Code: notify.FailRefused, Status: 200, Said: "310000"},
		`{"errcode":-1,"errmsg":"system busy"}`:                                                        {Code: notify.FailProvider, Retry: true, Status: 200, Said: "-1"},
		`{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"9ff0e7e2346aabb5a8bcbb7c93c71636","errcode": 130101,"errmsg": "send too fast, exceed 20 times per minute"}`: {
			Code: notify.FailRate, Retry: true, After: 10 * time.Minute, Status: 200, Said: "130101"},
		`{"errcode":410100,"errmsg":"too fast"}`:      {Code: notify.FailRate, Retry: true, After: time.Minute, Status: 200, Said: "410100"},
		`{"errcode":400013,"errmsg":"disbanded"}`:     {Code: notify.FailAddress, Status: 200, Said: "400013"},
		`{"errcode":400102,"errmsg":"robot stopped"}`: {Code: notify.FailRefused, Status: 200, Said: "400102"},
		`{"errcode":430102,"errmsg":"unsuitable"}`:    {Code: notify.FailContent, Status: 200, Said: "430102"},
		`{"errcode":999999,"errmsg":"new"}`:           {Code: notify.FailUnknown, Retry: true, Status: 200, Said: "999999"},
		`{"errmsg":"ok"}`:                             {Code: notify.FailProvider, Retry: true, Maybe: true, Status: 200, Said: "body"},
		`<html>`:                                      {Code: notify.FailProvider, Retry: true, Maybe: true, Status: 200, Said: "body"},
	} {
		var got message
		_, err := channelAt(t, dingtalk(t, true, 200, body, &got).URL).Send(t.Context(), notifytest.Message())
		if f := notifytest.Failed(t, err); *f != want {
			t.Errorf("%s: %+v, want %+v", body, *f, want)
		}
	}
}

func TestFailures(t *testing.T) {
	notifytest.Failures(t, channelAt)
	for _, s := range []Settings{{Webhook: secret.Ref{Name: "MISSING"}}, {Webhook: secret.Ref{Name: "HOOK"}, Secret: &secret.Ref{Name: "MISSING"}}} {
		s.API = "http://127.0.0.1:1"
		_, err := channelOf(t, s, token).Send(t.Context(), notifytest.Message())
		if f := notifytest.Failed(t, err); f.Code != notify.FailSettings || f.Retry {
			t.Errorf("%+v", *f)
		}
	}
}
