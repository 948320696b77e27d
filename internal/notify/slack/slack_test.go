package slack

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"holdfast/internal/notify"
	"holdfast/internal/notify/notifytest"
	"holdfast/internal/secret"
)

const token = "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOHcbrzqgy"

func botAt(t *testing.T, url string) notify.Channel {
	t.Helper()
	c, err := Kind.Open(&Settings{API: url, Token: secret.Ref{Name: "SLACK"}, Channel: "C024BE91L"}, notifytest.Tools(t, map[string]string{"SLACK": token}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func hookAt(t *testing.T, url string) notify.Channel {
	t.Helper()
	c, err := WebhookKind.Open(&WebhookSettings{Webhook: secret.Ref{Name: "HOOK"}},
		notifytest.Tools(t, map[string]string{"HOOK": url + "/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX\n"}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// slackOf is the Web API: it takes what its documentation says, and says what the
// test wants it to.
func slackOf(t *testing.T, status int, body string, got *map[string]any) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/chat.postMessage" || r.Header.Get("Authorization") != "Bearer "+token {
			t.Error(r.Method, r.URL)
		}
		if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			t.Error(r.Header)
		}
		*got = map[string]any{}
		if err := json.NewDecoder(r.Body).Decode(got); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		if status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "30")
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server
}

func TestABotsMessage(t *testing.T) {
	var got map[string]any
	server := slackOf(t, 200, `{"ok":true,"channel":"C123ABC456","ts":"1503435956.000247","message":{"text":"x","type":"message"}}`, &got)
	m := notifytest.Message()
	m.Text = "<!channel> <@U1> @here & <https://evil.example|click> *bold*"
	sent, err := botAt(t, server.URL).Send(t.Context(), m)
	if err != nil || sent.ID != "C123ABC456:1503435956.000247" || !sent.Arrived {
		t.Fatal(sent, err)
	}
	text := got["text"].(string)
	if got["channel"] != m.To || got["mrkdwn"] != false || got["unfurl_links"] != false || got["link_names"] != nil || got["parse"] != nil {
		t.Error(got)
	}
	if strings.ContainsAny(text, "<>") || !strings.Contains(text, "&lt;!channel&gt; &lt;@U1&gt; @here &amp; &lt;https://evil.example|click&gt;") || !strings.HasSuffix(text, "\n"+m.Link) {
		t.Errorf("%q", text)
	}

	m.To, m.Text = "", strings.Repeat("<<救火>>", 3000)
	if _, err := botAt(t, server.URL).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	text = got["text"].(string)
	if got["channel"] != "C024BE91L" || utf8.RuneCountInString(text) > longest || utf8.RuneCountInString(text) < longest-8 || !strings.HasSuffix(text, "…\n"+m.Link) {
		t.Errorf("%d characters, %q", utf8.RuneCountInString(text), text[len(text)-60:])
	}
}

func TestWhatSlackSays(t *testing.T) {
	for body, want := range map[string]notify.Failure{
		`{"ok":false,"error":"channel_not_found"}`:                                    {Code: notify.FailAddress, Status: 200, Said: "channel_not_found"},
		`{"ok":false,"error":"not_in_channel"}`:                                       {Code: notify.FailAddress, Status: 200, Said: "not_in_channel"},
		`{"ok":false,"error":"invalid_auth"}`:                                         {Code: notify.FailRefused, Status: 200, Said: "invalid_auth"},
		`{"ok":false,"error":"missing_scope","needed":"chat:write","provided":"bot"}`: {Code: notify.FailRefused, Status: 200, Said: "missing_scope"},
		`{"ok":false,"error":"msg_too_long"}`:                                         {Code: notify.FailContent, Status: 200, Said: "msg_too_long"},
		`{"ok":false,"error":"message_limit_exceeded"}`:                               {Code: notify.FailRate, Retry: true, After: time.Minute, Status: 200, Said: "message_limit_exceeded"},
		`{"ok":false,"error":"fatal_error"}`:                                          {Code: notify.FailProvider, Retry: true, Maybe: true, Status: 200, Said: "fatal_error"},
		`{"ok":false,"error":"brand_new_reason"}`:                                     {Code: notify.FailUnknown, Retry: true, Status: 200, Said: "brand_new_reason"},
		`{"ok":false,"error":"see https://x/` + token + `"}`:                          {Code: notify.FailUnknown, Retry: true, Status: 200},
		`{"ok":true}`:                          {Code: notify.FailProvider, Retry: true, Maybe: true, Status: 200, Said: "body"},
		`<html>Welcome to our guests' network`: {Code: notify.FailProvider, Retry: true, Maybe: true, Status: 200, Said: "body"},
		``:                                     {Code: notify.FailProvider, Retry: true, Maybe: true, Status: 200, Said: "body"},
	} {
		var got map[string]any
		_, err := botAt(t, slackOf(t, 200, body, &got).URL).Send(t.Context(), notifytest.Message())
		if f := notifytest.Failed(t, err); *f != want {
			t.Errorf("%s: %+v, want %+v", body, *f, want)
		}
	}
	var got map[string]any
	_, err := botAt(t, slackOf(t, 429, `{"ok":false,"error":"ratelimited"}`, &got).URL).Send(t.Context(), notifytest.Message())
	if f := notifytest.Failed(t, err); f.Code != notify.FailRate || !f.Retry || f.After != 30*time.Second {
		t.Errorf("%+v", *f)
	}
}

func TestAWebhook(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   notify.Failure // none: taken
	}{
		{200, "ok", notify.Failure{}},
		{200, "invalid_token", notify.Failure{Code: notify.FailRefused, Status: 200, Said: "invalid_token"}},
		{200, "Welcome to our guests' network", notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true, Status: 200, Said: "body"}},
		{400, "invalid_payload", notify.Failure{Code: notify.FailContent, Status: 400, Said: "invalid_payload"}},
		{403, "action_prohibited", notify.Failure{Code: notify.FailRefused, Status: 403, Said: "action_prohibited"}},
		{404, "no_service", notify.Failure{Code: notify.FailRefused, Status: 404, Said: "no_service"}},
		{404, "channel_not_found", notify.Failure{Code: notify.FailAddress, Status: 404, Said: "channel_not_found"}},
		{410, "channel_is_archived", notify.Failure{Code: notify.FailAddress, Status: 410, Said: "channel_is_archived"}},
		{500, "rollup_error", notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true, Status: 500, Said: "rollup_error"}},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var got map[string]any
			if err := json.NewDecoder(r.Body).Decode(&got); err != nil || got["text"] == "" || got["channel"] != nil || r.URL.Path != "/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX" {
				t.Error(r.URL, got, err)
			}
			w.WriteHeader(c.status)
			fmt.Fprint(w, c.body)
		}))
		sent, err := hookAt(t, server.URL).Send(t.Context(), notifytest.Message())
		server.Close()
		if c.want == (notify.Failure{}) {
			if err != nil || !sent.Arrived {
				t.Errorf("%s: %v", c.body, err)
			}
			continue
		}
		if f := notifytest.Failed(t, err); *f != c.want {
			t.Errorf("%s: %+v, want %+v", c.body, *f, c.want)
		}
	}
}

func TestFailures(t *testing.T) {
	t.Run("bot", func(t *testing.T) { notifytest.Failures(t, botAt) })
	t.Run("webhook", func(t *testing.T) { notifytest.Failures(t, hookAt) })
	for name, c := range map[string]notify.Kind{"slack": Kind, "slack-webhook": WebhookKind} {
		for _, text := range []string{"MISSING", "ftp://x/y", "https://u:p@hooks.slack.com/x"} {
			settings, tools := c.Settings(), notifytest.Tools(t, map[string]string{text: text})
			switch s := settings.(type) {
			case *Settings:
				s.API, s.Token, s.Channel = "http://127.0.0.1:1", secret.Ref{Name: "MISSING"}, "C1"
			case *WebhookSettings:
				s.Webhook = secret.Ref{Name: text}
			}
			channel, err := c.Open(settings, tools)
			if err != nil {
				t.Fatal(err)
			}
			_, err = channel.Send(t.Context(), notifytest.Message())
			if f := notifytest.Failed(t, err); f.Code != notify.FailSettings || f.Retry {
				t.Errorf("%s, %s: %+v", name, text, *f)
			}
		}
	}
}
