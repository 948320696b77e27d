package telegram

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"holdfast/internal/notify"
	"holdfast/internal/notify/notifytest"
	"holdfast/internal/secret"
)

const (
	token      = "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11"
	hookSecret = "hook-Secret_1"
)

func channelAt(t *testing.T, url string) notify.Channel {
	t.Helper()
	tools := notifytest.Tools(t, map[string]string{"BOT": token, "HOOK": hookSecret})
	c, err := Kind.Open(&Settings{API: url, Token: secret.Ref{Name: "BOT"}, Chat: "-1001234567890", Secret: &secret.Ref{Name: "HOOK"}}, tools)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func serve(t *testing.T, status int, body string, got *request) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/bot"+token+"/sendMessage" {
			t.Error(r.Method, r.URL)
		}
		*got = request{}
		decoder := json.NewDecoder(r.Body)
		decoder.DisallowUnknownFields() // parse_mode above all
		if err := decoder.Decode(got); err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server
}

const taken = `{"ok":true,"result":{"message_id":7,"date":1760000000,"chat":{"id":-1001234567890,"type":"supergroup"},"text":"x"}}`

func TestSending(t *testing.T) {
	var got request
	server := serve(t, 200, taken, &got)
	m := notifytest.Message()
	m.Text = "@all and (@li_wei) write to standby@shop.example, <b>now</b> & *here* [x](https://evil.example)"
	sent, err := channelAt(t, server.URL).Send(t.Context(), m)
	if err != nil || sent.ID != "-1001234567890:7" || !sent.Arrived {
		t.Fatal(sent, err)
	}
	want := m.Subject + "\n@\u2060all and (@\u2060li_wei) write to standby@shop.example, <b>now</b> & *here* [x](https://evil.example)\n" + m.Link
	if got.Text != want || got.Chat != m.To || !got.Preview.Disabled {
		t.Errorf("%+v", got)
	}
	if got.Markup == nil || got.Markup.Rows[0][0] != (button{"确认收到", m.Reply}) {
		t.Errorf("%+v", got.Markup)
	}

	m.To, m.Reply, m.Text = "", "", strings.Repeat("救👨‍👩‍👧火", 2000)
	if _, err := channelAt(t, server.URL).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	units := len(utf16.Encode([]rune(got.Text)))
	if got.Chat != "-1001234567890" || got.Markup != nil || units > longest || units < longest-10 || !strings.HasSuffix(got.Text, "…\n"+m.Link) || strings.Contains(got.Text, "\u200d…") {
		t.Errorf("%d units, %+v", units, got.Markup)
	}
}

func TestWhatTelegramSays(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   notify.Failure
	}{
		{200, `{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}`, notify.Failure{Code: notify.FailAddress, Status: 200, Said: "400"}},
		{400, `{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}`, notify.Failure{Code: notify.FailAddress, Status: 400, Said: "400"}},
		{400, `{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1009}}`, notify.Failure{Code: notify.FailAddress, Status: 400, Said: "400"}},
		{400, `{"ok":false,"error_code":400,"description":"Bad Request: not enough rights to send text messages to the chat"}`, notify.Failure{Code: notify.FailRefused, Status: 400, Said: "400"}},
		{400, `{"ok":false,"error_code":400,"description":"Bad Request: message is too long"}`, notify.Failure{Code: notify.FailContent, Status: 400, Said: "400"}},
		{401, `{"ok":false,"error_code":401,"description":"Unauthorized"}`, notify.Failure{Code: notify.FailRefused, Status: 401, Said: "401"}},
		{403, `{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}`, notify.Failure{Code: notify.FailAddress, Status: 403, Said: "403"}},
		{404, `{"ok":false,"error_code":404,"description":"Not Found"}`, notify.Failure{Code: notify.FailRefused, Status: 404, Said: "404"}},
		{429, `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 33","parameters":{"retry_after":33}}`, notify.Failure{Code: notify.FailRate, Retry: true, After: 33 * time.Second, Status: 429, Said: "429"}},
		{200, `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 5","parameters":{"retry_after":5}}`, notify.Failure{Code: notify.FailRate, Retry: true, After: 5 * time.Second, Status: 200, Said: "429"}},
		{200, `{"ok":false}`, notify.Failure{Code: notify.FailUnknown, Retry: true, Status: 200, Said: "0"}},
		{200, `{"ok":true,"result":{}}`, notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true, Status: 200, Said: "body"}},
		{200, `<html>`, notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true, Status: 200, Said: "body"}},
	} {
		var got request
		_, err := channelAt(t, serve(t, c.status, c.body, &got).URL).Send(t.Context(), notifytest.Message())
		if f := notifytest.Failed(t, err); *f != c.want {
			t.Errorf("%s: %+v, want %+v", c.body, *f, c.want)
		}
	}
}

func TestFailures(t *testing.T) {
	notifytest.Failures(t, channelAt)
	for _, s := range []Settings{{Token: secret.Ref{Name: "MISSING"}, Chat: "1"}, {Token: secret.Ref{Name: "BOT"}}} {
		s.API = "http://127.0.0.1:1"
		c, err := Kind.Open(&s, notifytest.Tools(t, nil))
		if err != nil {
			t.Fatal(err)
		}
		m := notifytest.Message()
		m.To = ""
		_, err = c.Send(t.Context(), m)
		if f := notifytest.Failed(t, err); f.Retry || f.Code != notify.FailSettings && s.Chat != "" || f.Code != notify.FailAddress && s.Chat == "" {
			t.Errorf("%+v", *f)
		}
	}
}

func receive(t *testing.T, secret, body string) (notify.Answer, []notify.Event, error) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/in/test", strings.NewReader(body))
	r.Header.Set("X-Telegram-Bot-Api-Secret-Token", secret)
	return channelAt(t, "http://127.0.0.1:1").(notify.Receiver).Receive(r, []byte(body))
}

func TestReceiving(t *testing.T) {
	message := `{"message_id":7,"date":1760000000,"chat":{"id":-1001234567890},"text":"x","reply_markup":{"inline_keyboard":[[{"text":"确认收到","callback_data":"k7f3q2"}]]}}`
	button := `{"update_id":1,"callback_query":{"id":"4382bfdwdsb323b2d9","from":{"id":42,"is_bot":false,"language_code":"zh-hans"},"message":` + message + `,"chat_instance":"1","data":"k7f3q2"}}`
	answer, events, err := receive(t, hookSecret, button)
	if err != nil || len(events) != 1 {
		t.Fatal(events, err)
	}
	e := events[0]
	if e.Kind != notify.EventAcknowledged || e.Token != "k7f3q2" || e.From != "42" || e.ID != "-1001234567890:7" || e.At.IsZero() {
		t.Errorf("%+v", e)
	}
	var said map[string]string
	if err := json.Unmarshal(answer.Body, &said); err != nil || said["method"] != "answerCallbackQuery" || said["callback_query_id"] != "4382bfdwdsb323b2d9" || said["text"] != "已收到" || answer.Type != "application/json" {
		t.Errorf("%s", answer.Body)
	}

	for body, want := range map[string]notify.Event{
		`{"update_id":2,"message":{"message_id":8,"date":1760000060,"from":{"id":42},"chat":{"id":42},"text":"ok k7f3q2","reply_to_message":` + message + `}}`: {
			Kind: notify.EventReply, ID: "-1001234567890:7", Token: "k7f3q2", From: "42", Text: "ok k7f3q2", At: time.Unix(1760000060, 0).UTC()},
		`{"update_id":3,"message":{"message_id":9,"date":1760000060,"from":{"id":42},"chat":{"id":42},"text":"` + strings.Repeat("好", 3000) + `"}}`: {
			Kind: notify.EventReply, From: "42", Text: strings.Repeat("好", mostReply-1) + "…", At: time.Unix(1760000060, 0).UTC()},
	} {
		_, events, err := receive(t, hookSecret, body)
		if err != nil || len(events) != 1 || events[0] != want {
			t.Errorf("%+v, %v", events, err)
		}
	}
	for _, body := range []string{`{"update_id":4,"my_chat_member":{}}`, `{`, `{"message":{"text":" "}}`} {
		if _, events, err := receive(t, hookSecret, body); err != nil || len(events) > 0 {
			t.Errorf("%s: %v, %v", body, events, err)
		}
	}

	for _, wrong := range []string{"", "hook-Secret_", "hook-Secret_12"} {
		if answer, events, err := receive(t, wrong, button); err == nil || len(events) > 0 || len(answer.Body) > 0 {
			t.Errorf("%q: %v", wrong, events)
		}
	}
	c, err := Kind.Open(&Settings{Token: secret.Ref{Name: "BOT"}, Chat: "1"}, notifytest.Tools(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.(notify.Receiver).Receive(httptest.NewRequest(http.MethodPost, "/in/test", nil), []byte(button)); err == nil {
		t.Error("a bot without a secret believes everybody")
	}
}
