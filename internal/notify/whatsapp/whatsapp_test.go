package whatsapp

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/notifytest"
	"holdfast/internal/secret"
)

const (
	number = "106540352242922"
	token  = "EAAJB-access"
	appKey = "app-secret"
	verify = "verify-me"
)

func channelAt(t *testing.T, url string) notify.Channel {
	t.Helper()
	c, err := Kind.Open(&Settings{
		API: url, Version: "v23.0", Number: number, Token: secret.Ref{Name: "TOKEN"}, Languages: Languages{"en_US", "zh_CN"},
		Callback: &Callback{Secret: secret.Ref{Name: "APP"}, Verify: secret.Ref{Name: "VERIFY"}},
	}, notifytest.Tools(t, map[string]string{"TOKEN": token, "APP": appKey, "VERIFY": verify}))
	if err != nil {
		t.Fatal(err)
	}
	return approved{c}
}

// approved gives each message a template.
type approved struct{ notify.Channel }

func (c approved) Send(ctx context.Context, m *notify.Message) (notify.Sent, error) {
	m.Template = &notify.Template{Code: "holding_statement", Variables: map[string]string{"service": "订单处理"}}
	return c.Channel.Send(ctx, m)
}

func whatsapp(t *testing.T, status int, body string, got *request) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/v23.0/"+number+"/messages" {
			t.Error(r.Method, r.URL)
		}
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":{"message":"Invalid OAuth access token","type":"OAuthException","code":190}}`)
			return
		}
		*got = request{}
		if err := json.NewDecoder(r.Body).Decode(got); err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server
}

const taken = `{"messaging_product":"whatsapp","contacts":[{"input":"+8613800138001","wa_id":"8613800138001"}],"messages":[{"id":"wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI","message_status":"accepted"}]}`

func TestSending(t *testing.T) {
	var got request
	c := channelAt(t, whatsapp(t, 200, taken, &got).URL).(approved).Channel
	for _, try := range []struct {
		variables map[string]string
		order     []string
		want      []component
	}{
		{map[string]string{"service": "订单\n\t处理    系统", "expected": ""}, nil, []component{
			{Type: "body", Parameters: []parameter{{Type: "text", Name: "expected", Text: "-"}, {Type: "text", Name: "service", Text: "订单 处理 系统"}}},
		}},
		{map[string]string{"2": "b", "1": "a", "10": "j"}, nil, []component{
			{Type: "body", Parameters: []parameter{{Type: "text", Text: "a"}, {Type: "text", Text: "b"}, {Type: "text", Text: "j"}}},
		}},
		{map[string]string{"header.name": "h", "b": "2", "a": strings.Repeat("长", 2000), "url.1": "a/token", "reply.0": ""}, []string{"b", "reply.0", "a", "header.name", "url.1"}, []component{
			{Type: "header", Parameters: []parameter{{Type: "text", Name: "name", Text: "h"}}},
			{Type: "body", Parameters: []parameter{{Type: "text", Name: "b", Text: "2"}, {Type: "text", Name: "a", Text: strings.Repeat("长", longest-1) + "…"}}},
			{Type: "button", SubType: "quick_reply", Index: "0", Parameters: []parameter{{Type: "payload", Payload: "k7f3q2"}}},
			{Type: "button", SubType: "url", Index: "1", Parameters: []parameter{{Type: "text", Text: "a/token"}}},
		}},
		{nil, nil, nil},
	} {
		m := notifytest.Message()
		m.Template = &notify.Template{Code: "holding_statement", Variables: try.variables, Order: try.order}
		sent, err := c.Send(t.Context(), m)
		if err != nil || sent.ID != "wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI" || sent.Arrived {
			t.Fatal(sent, err)
		}
		if got.Product != "whatsapp" || got.Recipient != "individual" || got.To != m.To || got.Type != "template" || got.Template.Name != "holding_statement" || got.Template.Language.Code != "zh_CN" {
			t.Errorf("%+v", got)
		}
		if !reflect.DeepEqual(got.Template.Components, try.want) {
			t.Errorf("%+v, want %+v", got.Template.Components, try.want)
		}
	}
	m := notifytest.Message()
	m.Language, m.Template = "en", &notify.Template{Code: "x"}
	if _, err := c.Send(t.Context(), m); err != nil || got.Template.Language.Code != "en_US" {
		t.Error(got, err)
	}
	m.Template = nil
	_, err := c.Send(t.Context(), m)
	if f := notifytest.Failed(t, err); f.Code != notify.FailTemplate || f.Retry {
		t.Errorf("%+v", *f)
	}
	m.Template, m.To = &notify.Template{Code: "x"}, "li.wei"
	_, err = c.Send(t.Context(), m)
	if f := notifytest.Failed(t, err); f.Code != notify.FailAddress || f.Retry {
		t.Errorf("%+v", *f)
	}
}

func TestWhatWhatsAppSays(t *testing.T) {
	object := func(code int) string {
		return fmt.Sprintf(`{"error":{"message":"(#%d) text","type":"OAuthException","code":%[1]d,"error_data":{"messaging_product":"whatsapp","details":"to +8613800138001"},"fbtrace_id":"Az8or2yhqkZfEZ-_4Qn_Bam"}}`, code)
	}
	for _, c := range []struct {
		status, code int
		want         notify.Failure
	}{
		{400, 131056, notify.Failure{Code: notify.FailRate, Retry: true, After: 6 * time.Second}},
		{429, 130429, notify.Failure{Code: notify.FailRate, Retry: true, After: time.Second}},
		{400, 80007, notify.Failure{Code: notify.FailRate, Retry: true, After: time.Minute}},
		{400, 131026, notify.Failure{Code: notify.FailAddress}},
		{400, 131030, notify.Failure{Code: notify.FailAddress}},
		{404, 132001, notify.Failure{Code: notify.FailTemplate}},
		{400, 132000, notify.Failure{Code: notify.FailTemplate}},
		{400, 132015, notify.Failure{Code: notify.FailTemplate}},
		{400, 131047, notify.Failure{Code: notify.FailTemplate}},
		{400, 131042, notify.Failure{Code: notify.FailBalance}},
		{400, 100, notify.Failure{Code: notify.FailContent}},
		{401, 190, notify.Failure{Code: notify.FailRefused}},
		{403, 200, notify.Failure{Code: notify.FailRefused}},
		{400, 33, notify.Failure{Code: notify.FailSettings}},
		{503, 2, notify.Failure{Code: notify.FailProvider, Retry: true}},
		{500, 131000, notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true}},
		{200, 131026, notify.Failure{Code: notify.FailAddress}},
		{200, 139999, notify.Failure{Code: notify.FailUnknown, Retry: true}},
	} {
		var got request
		_, err := channelAt(t, whatsapp(t, c.status, object(c.code), &got).URL).Send(t.Context(), notifytest.Message())
		c.want.Status, c.want.Said = c.status, strconv.Itoa(c.code)
		if f := notifytest.Failed(t, err); *f != c.want {
			t.Errorf("%d: %+v, want %+v", c.code, *f, c.want)
		}
	}
	for _, body := range []string{`{"messages":[]}`, `<html>`, ``} {
		var got request
		_, err := channelAt(t, whatsapp(t, 200, body, &got).URL).Send(t.Context(), notifytest.Message())
		if f := notifytest.Failed(t, err); f.Said != "body" || !f.Maybe {
			t.Errorf("%s: %+v", body, *f)
		}
	}
}

func TestFailures(t *testing.T) {
	notifytest.Failures(t, channelAt)
	c := channelAt(t, "http://127.0.0.1:1").(approved)
	c.Channel.(*channel).Token.Name = "MISSING"
	_, err := c.Send(t.Context(), notifytest.Message())
	if f := notifytest.Failed(t, err); f.Code != notify.FailSettings || f.Retry {
		t.Errorf("%+v", *f)
	}
}

func post(t *testing.T, c notify.Receiver, body, key string) ([]notify.Event, error) {
	t.Helper()
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(body))
	r := httptest.NewRequest(http.MethodPost, "/in/test", strings.NewReader(body))
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	_, events, err := c.Receive(r, []byte(body))
	return events, err
}

func change(number, value string) string {
	return `{"object":"whatsapp_business_account","entry":[{"id":"102290129340398","changes":[{"value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881","phone_number_id":"` + number + `"},` + value + `},"field":"messages"}]}]}`
}

func TestReceiving(t *testing.T) {
	c := channelAt(t, "http://127.0.0.1:1").(approved).Channel.(*channel)
	when := time.Unix(1760000000, 0).UTC()
	const from = "+8613800138001"
	for body, want := range map[string][]notify.Event{
		`"statuses":[{"id":"wamid.A","status":"sent","timestamp":"1760000000","recipient_id":"8613800138001"},{"id":"wamid.A","status":"delivered","timestamp":"1760000000","recipient_id":"8613800138001"}]`: {
			{Kind: notify.EventArrived, ID: "wamid.A", From: from, At: when}},
		`"statuses":[{"id":"wamid.B","status":"failed","timestamp":"1760000000","recipient_id":"8613800138001","errors":[{"code":131026,"title":"Message undeliverable"}]},{"id":"wamid.C","status":"failed","timestamp":"1760000000","recipient_id":"8613800138001","errors":[{"code":132015}]},{"id":"wamid.D","status":"failed"}]`: {
			{Kind: notify.EventFailed, ID: "wamid.B", From: from, At: when, Code: notify.FailAddress},
			{Kind: notify.EventFailed, ID: "wamid.C", From: from, At: when, Code: notify.FailTemplate},
			{Kind: notify.EventFailed, ID: "wamid.D", Code: notify.FailUnknown}},
		`"messages":[{"from":"8613800138001","id":"wamid.X","timestamp":"1760000000","type":"button","button":{"payload":"k7f3q2","text":"确认收到"},"context":{"from":"15550783881","id":"wamid.A"}}]`: {
			{Kind: notify.EventAcknowledged, ID: "wamid.A", From: from, At: when, Token: "k7f3q2", Text: "确认收到"}},
		`"messages":[{"from":"8613800138001","id":"wamid.X","timestamp":"1760000000","type":"interactive","interactive":{"type":"button_reply","button_reply":{"id":"k7f3q2","title":"OK"}},"context":{"id":"wamid.A"}}]`: {
			{Kind: notify.EventAcknowledged, ID: "wamid.A", From: from, At: when, Token: "k7f3q2", Text: "OK"}},
		`"messages":[{"from":"8613800138001","id":"wamid.X","timestamp":"1760000000","type":"button","button":{"payload":"No","text":"No"},"context":{"id":"wamid.A"}}]`: {
			{Kind: notify.EventReply, ID: "wamid.A", From: from, At: when, Text: "No"}},
		`"messages":[{"from":"8613800138001","id":"wamid.X","timestamp":"1760000000","type":"text","text":{"body":"在路上 k7f3q2"}},{"from":"8613800138001","id":"wamid.Y","timestamp":"1760000000","type":"image","image":{"id":"1"}}]`: {
			{Kind: notify.EventReply, From: from, At: when, Text: "在路上 k7f3q2"}},
	} {
		events, err := post(t, c, change(number, body), appKey)
		if err != nil || !slices.Equal(events, want) {
			t.Errorf("%s:\n%+v, %v", body, events, err)
		}
		if events, err := post(t, c, change("another", body), appKey); err != nil || len(events) > 0 {
			t.Errorf("another number's: %+v, %v", events, err)
		}
		if events, err := post(t, c, change(number, body), "another"); err == nil || len(events) > 0 {
			t.Error("believed without its signature")
		}
	}
	if events, err := post(t, c, "{", appKey); err != nil || len(events) > 0 {
		t.Error(events, err)
	}
	if _, _, err := c.Receive(httptest.NewRequest(http.MethodPost, "/in/test", nil), []byte("{}")); err == nil {
		t.Error("believed without any signature")
	}

	get := func(mode, token string) (notify.Answer, error) {
		query := url.Values{"hub.mode": {mode}, "hub.verify_token": {token}, "hub.challenge": {"1158201444"}}
		answer, _, err := c.Receive(httptest.NewRequest(http.MethodGet, "/in/test?"+query.Encode(), nil), nil)
		return answer, err
	}
	if answer, err := get("subscribe", verify); err != nil || string(answer.Body) != "1158201444" {
		t.Error(answer, err)
	}
	for _, wrong := range [][2]string{{"subscribe", "other"}, {"subscribe", ""}, {"unsubscribe", verify}} {
		if answer, err := get(wrong[0], wrong[1]); err == nil || len(answer.Body) > 0 {
			t.Error(wrong)
		}
	}
	c.Callback = nil
	if _, err := get("subscribe", ""); err == nil {
		t.Error("a channel without a callback believes everybody")
	}
}
