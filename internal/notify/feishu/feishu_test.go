package feishu

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/notifytest"
	"holdfast/internal/secret"
)

const (
	token = "5e6f7a8b-1111-2222-3333-444455556666"
	key   = "wZ3KcXy1mQ"
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

// feishu answers as the bot does: it verifies token, time, signature and size, and
// then says what the test wants.
func feishu(t *testing.T, sign bool, status int, body string, got *message) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		*got = message{}
		if err != nil || json.Unmarshal(text, got) != nil || len(text) > 20<<10 {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"code":9499,"msg":"Bad Request","data":{}}`)
			return
		}
		stamp, err := strconv.ParseInt(got.Timestamp, 10, 64)
		mac := hmac.New(sha256.New, []byte(got.Timestamp+"\n"+key))
		switch {
		case r.URL.Path != "/open-apis/bot/v2/hook/"+token:
			fmt.Fprint(w, `{"code":19001,"msg":"param invalid: incoming webhook access token invalid"}`)
			return
		case sign && (err != nil || time.Since(time.Unix(stamp, 0)).Abs() > time.Hour || got.Sign != base64.StdEncoding.EncodeToString(mac.Sum(nil))):
			fmt.Fprint(w, `{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}`)
			return
		case !sign && got.Sign != "":
			t.Error("signed")
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server
}

const taken = `{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}`

func TestSending(t *testing.T) {
	var got message
	server := feishu(t, true, 200, taken, &got)
	m := notifytest.Message()
	m.Text = "<at user_id=\"all\">所有人</at>\n**1** & 2"
	for _, c := range []notify.Channel{
		channelAt(t, server.URL),
		channelOf(t, Settings{API: "http://127.0.0.1:1", Webhook: secret.Ref{Name: "HOOK"}, Secret: &secret.Ref{Name: "KEY"}}, server.URL+"/open-apis/bot/v2/hook/"+token),
	} {
		sent, err := c.Send(t.Context(), m)
		if err != nil || !sent.Arrived {
			t.Fatal(sent, err)
		}
		p := got.Content.Post["zh_cn"]
		if got.Type != "post" || len(got.Content.Post) != 1 || p.Title != m.Subject || len(p.Lines) != 3 {
			t.Fatalf("%+v", got)
		}
		// A part of tag "text" is shown as it is; only one of tag "at" calls anybody.
		if p.Lines[0][0] != (part{Tag: "text", Text: `<at user_id="all">所有人</at>`}) || p.Lines[1][0].Text != "**1** & 2" || p.Lines[2][0] != (part{"a", m.Link, m.Link}) {
			t.Errorf("%+v", p)
		}
	}
	m.Language, m.Text = "en", strings.Repeat("火", 9000)
	if _, err := channelAt(t, server.URL).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if p := got.Content.Post["en_us"]; len(p.Lines) != 2 || !strings.HasSuffix(p.Lines[0][0].Text, "火…") || p.Lines[1][0].Href != m.Link {
		t.Errorf("%+v", p)
	}
	plain := feishu(t, false, 200, `{"StatusCode":0,"StatusMessage":"success"}`, &got)
	if _, err := channelOf(t, Settings{API: plain.URL, Webhook: secret.Ref{Name: "HOOK"}}, token).Send(t.Context(), m); err != nil {
		t.Error(err)
	}
	for what, c := range map[string]notify.Channel{
		"19021": channelOf(t, Settings{API: server.URL, Webhook: secret.Ref{Name: "HOOK"}, Secret: &secret.Ref{Name: "OTHER"}}, token),
		"19001": channelOf(t, Settings{API: server.URL, Webhook: secret.Ref{Name: "HOOK"}}, "other"),
	} {
		_, err := c.Send(t.Context(), m)
		if f := notifytest.Failed(t, err); f.Code != notify.FailRefused || f.Retry || f.Said != what {
			t.Errorf("%s: %+v", what, *f)
		}
	}
}

func TestWhatFeishuSays(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   notify.Failure
	}{
		{200, `{"code":19024,"msg":"Key Words Not Found"}`, notify.Failure{Code: notify.FailContent, Status: 200, Said: "19024"}},
		{200, `{"code":19022,"msg":"Ip Not Allowed"}`, notify.Failure{Code: notify.FailRefused, Status: 200, Said: "19022"}},
		{200, `{"code":11232,"msg":"create message trigger system rate limit"}`, notify.Failure{Code: notify.FailRate, Retry: true, After: time.Minute, Status: 200, Said: "11232"}},
		{200, `{"code":9499,"msg":"too many request","data":{}}`, notify.Failure{Code: notify.FailRate, Retry: true, After: time.Minute, Status: 200, Said: "9499"}},
		{400, `{"code":9499,"msg":"Bad Request","data":{}}`, notify.Failure{Code: notify.FailContent, Status: 400, Said: "9499"}},
		{200, `{"StatusCode":9499,"StatusMessage":"Bad Request"}`, notify.Failure{Code: notify.FailContent, Status: 200, Said: "9499"}},
		{200, `{"StatusCode":0,"code":19001}`, notify.Failure{Code: notify.FailRefused, Status: 200, Said: "19001"}},
		{200, `{"code":77,"msg":"new"}`, notify.Failure{Code: notify.FailUnknown, Retry: true, Status: 200, Said: "77"}},
		{200, `{"msg":"success"}`, notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true, Status: 200, Said: "body"}},
		{200, `<html>`, notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true, Status: 200, Said: "body"}},
	} {
		var got message
		_, err := channelAt(t, feishu(t, true, c.status, c.body, &got).URL).Send(t.Context(), notifytest.Message())
		if f := notifytest.Failed(t, err); *f != c.want {
			t.Errorf("%s: %+v, want %+v", c.body, *f, c.want)
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
