package ntfy

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/notifytest"
	"holdfast/internal/secret"
)

const token = "tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2"

func channelAt(t *testing.T, url string) notify.Channel {
	t.Helper()
	c, err := Kind.Open(&Settings{Server: url, Topic: "shop-alerts_1", Token: &secret.Ref{Name: "NTFY"}}, notifytest.Tools(t, map[string]string{"NTFY": token}))
	if err != nil {
		t.Fatal(err)
	}
	return toTheRoom{c}
}

// toTheRoom sends to the settings' topic: a phone number is none.
type toTheRoom struct{ notify.Channel }

func (c toTheRoom) Send(ctx context.Context, m *notify.Message) (notify.Sent, error) {
	m.To = ""
	return c.Channel.Send(ctx, m)
}

func ntfy(t *testing.T, status int, body string, got *message) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/" || r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"code":40301,"http":403,"error":"forbidden","link":"https://ntfy.sh/docs/publish/#authentication"}`)
			return
		}
		*got = message{}
		decoder := json.NewDecoder(r.Body)
		decoder.DisallowUnknownFields() // markdown above all
		if err := decoder.Decode(got); err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server
}

const taken = `{"id":"hwQ2YpKdmg","time":1635528757,"expires":1635571957,"event":"message","topic":"shop-alerts_1","message":"x"}`

func TestSending(t *testing.T) {
	var got message
	server := ntfy(t, 200, taken, &got)
	m := notifytest.Message()
	sent, err := channelAt(t, server.URL).Send(t.Context(), m)
	if err != nil || sent.ID != "hwQ2YpKdmg" || sent.Arrived {
		t.Fatal(sent, err)
	}
	if got.Topic != "shop-alerts_1" || got.Title != m.Subject || got.Text != m.Text || got.Priority != 5 || got.Click != m.Link ||
		len(got.Actions) != 1 || got.Actions[0] != (action{"view", "确认收到", m.Link, true}) {
		t.Errorf("%+v", got)
	}
	m.Urgent, m.Reply, m.Language, m.Text = false, "", "en", strings.Repeat("火", 3000)
	c := channelAt(t, server.URL).(toTheRoom).Channel
	m.To = "li-wei"
	if _, err := c.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if n := len(got.Text); got.Topic != "li-wei" || got.Priority != 3 || n > longest || n < longest-4 || !strings.HasSuffix(got.Text, "火…") || got.Actions[0].Label != "Open" {
		t.Errorf("%d, %+v", n, got.Actions)
	}
	m.Link = ""
	if _, err := c.Send(t.Context(), m); err != nil || got.Click != "" || len(got.Actions) > 0 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, to := range []string{"../v1/account", "a b", "+8613800138001", strings.Repeat("x", 65)} {
		m.To = to
		_, err := c.Send(t.Context(), m)
		if f := notifytest.Failed(t, err); f.Code != notify.FailAddress || f.Retry {
			t.Errorf("%s: %+v", to, *f)
		}
	}
}

func TestWhatNtfySays(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   notify.Failure
	}{
		{400, `{"code":40009,"http":400,"error":"invalid request: topic invalid"}`, notify.Failure{Code: notify.FailAddress, Status: 400, Said: "40009"}},
		{400, `{"code":40024,"http":400,"error":"invalid request: request body must be valid JSON"}`, notify.Failure{Code: notify.FailContent, Status: 400, Said: "40024"}},
		{401, `{"code":40101,"http":401,"error":"unauthorized"}`, notify.Failure{Code: notify.FailRefused, Status: 401, Said: "40101"}},
		{403, `{"code":40301,"http":403,"error":"forbidden"}`, notify.Failure{Code: notify.FailRefused, Status: 403, Said: "40301"}},
		{413, `{"code":41303,"http":413,"error":"JSON body too large"}`, notify.Failure{Code: notify.FailContent, Status: 413, Said: "41303"}},
		{429, `{"code":42901,"http":429,"error":"limit reached: too many requests"}`, notify.Failure{Code: notify.FailRate, Retry: true, Status: 429, Said: "42901"}},
		{429, `{"code":42908,"http":429,"error":"limit reached: daily message quota reached"}`, notify.Failure{Code: notify.FailRate, Retry: true, After: time.Hour, Status: 429, Said: "42908"}},
		{500, `{"code":50001,"http":500,"error":"internal server error"}`, notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true, Status: 500, Said: "50001"}},
		{200, `{"code":40301,"http":403,"error":"forbidden"}`, notify.Failure{Code: notify.FailUnknown, Retry: true, Status: 200, Said: "40301"}},
		{200, `{"healthy":true}`, notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true, Status: 200, Said: "body"}},
		{200, `<html>`, notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true, Status: 200, Said: "body"}},
	} {
		var got message
		_, err := channelAt(t, ntfy(t, c.status, c.body, &got).URL).Send(t.Context(), notifytest.Message())
		if f := notifytest.Failed(t, err); *f != c.want {
			t.Errorf("%s: %+v, want %+v", c.body, *f, c.want)
		}
	}
}

func TestFailures(t *testing.T) {
	notifytest.Failures(t, channelAt)
	for _, s := range []Settings{{Topic: "x", Token: &secret.Ref{Name: "MISSING"}}, {}} {
		s.Server = "http://127.0.0.1:1"
		c, err := Kind.Open(&s, notifytest.Tools(t, nil))
		if err != nil {
			t.Fatal(err)
		}
		_, err = toTheRoom{c}.Send(t.Context(), notifytest.Message())
		if f := notifytest.Failed(t, err); f.Retry || f.Code != notify.FailSettings && s.Topic != "" || f.Code != notify.FailAddress && s.Topic == "" {
			t.Errorf("%+v", *f)
		}
	}
}
