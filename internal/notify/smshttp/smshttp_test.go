package smshttp

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"holdfast/internal/notify"
	"holdfast/internal/notify/notifytest"
	"holdfast/internal/secret"
)

var _ notify.Checked = (*Settings)(nil)

func channelTo(t *testing.T, s Settings) notify.Channel {
	t.Helper()
	if s.Method == "" {
		s.Method = http.MethodPost
	}
	c, err := Kind.Open(&s, notifytest.Tools(t, map[string]string{"GATE": `p"w&d`}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// gateway keeps what it is asked and answers the same to all.
func gateway(t *testing.T, status int, says string) (string, *[]*http.Request, *[]string) {
	t.Helper()
	var requests []*http.Request
	var bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		requests, bodies = append(requests, r), append(bodies, string(body))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, says)
	}))
	t.Cleanup(server.Close)
	return server.URL, &requests, &bodies
}

var text = "【某公司】订单处理自 10:02 起不可用。\n请用备用邮箱。\nhttps://ack.example/a/token"

func TestAForm(t *testing.T) {
	base, requests, bodies := gateway(t, 200, `{"code":0,"data":{"msgid":"m-1"}}`)
	c := channelTo(t, Settings{
		URL: base + "/send?v=1", Secret: &secret.Ref{Name: "GATE"}, Number: "local", Sign: "某公司",
		Headers: map[string]string{"X-Key": "k {key}"}, Query: map[string]string{"pw": "{secret}"},
		Form:    map[string]string{"mobile": "{to}", "content": "{text}"},
		Success: Success{Pointer: "/code", Equals: []string{"0"}, ID: "/data/msgid"},
	})
	sent, err := c.Send(t.Context(), notifytest.Message())
	if err != nil || sent.ID != "m-1" || sent.Arrived {
		t.Fatal(sent, err)
	}
	r := (*requests)[0]
	form, err := url.ParseQuery((*bodies)[0])
	if err != nil || form.Get("mobile") != "13800138001" || form.Get("content") != text {
		t.Error(form, err)
	}
	if q := r.URL.Query(); q.Get("pw") != `p"w&d` || q.Get("v") != "1" || r.Header.Get("X-Key") != "k "+notifytest.Message().Key || r.Method != http.MethodPost {
		t.Error(r.URL, r.Header)
	}
}

func TestJSON(t *testing.T) {
	address, requests, bodies := gateway(t, 200, `{"status":"queued"}`)
	c := channelTo(t, Settings{
		URL: address, Secret: &secret.Ref{Name: "GATE"}, Number: "digits", Sign: "某公司",
		JSON: `{"to": ["{to}"], "body": "{text}", "pw": "{secret}", "id": "{key}"}`, Success: Success{Pointer: "/status", Equals: []string{"queued", "sent"}},
	})
	if _, err := c.Send(t.Context(), notifytest.Message()); err != nil {
		t.Fatal(err)
	}
	var got struct {
		To       []string
		Body, PW string
		ID       string
	}
	if err := json.Unmarshal([]byte((*bodies)[0]), &got); err != nil || !slices.Equal(got.To, []string{"8613800138001"}) || got.Body != text || got.PW != `p"w&d` || got.ID != notifytest.Message().Key {
		t.Errorf("%s: %+v, %v", (*bodies)[0], got, err)
	}
	if kind := (*requests)[0].Header.Get("Content-Type"); kind != "application/json" {
		t.Error(kind)
	}
}

func TestFailures(t *testing.T) {
	notifytest.Failures(t, func(t *testing.T, url string) notify.Channel {
		return channelTo(t, Settings{URL: url, Form: map[string]string{"t": "{text}"}})
	})
}

func TestWhatCountsAsTaken(t *testing.T) {
	pointed := Success{Pointer: "/code", Equals: []string{"0"}, Means: map[string]string{"103": "address", "109": "balance", "29": "rate"}}
	for _, c := range []struct {
		name, says string
		status     int
		success    Success
		want       *notify.Failure
	}{
		{"success", `{"code":0}`, 200, pointed, nil},
		{"success as a text", `{"code":"0"}`, 200, pointed, nil},
		{"an error inside a 200", `{"code":7}`, 200, pointed, &notify.Failure{Code: notify.FailUnknown, Retry: true, Status: 200, Said: "7"}},
		{"one that is known", `{"code":103}`, 200, pointed, &notify.Failure{Code: notify.FailAddress, Status: 200, Said: "103"}},
		{"nothing left", `{"code":"109"}`, 200, pointed, &notify.Failure{Code: notify.FailBalance, Status: 200, Said: "109"}},
		{"too many", `{"code":"29"}`, 400, pointed, &notify.Failure{Code: notify.FailRate, Retry: true, Status: 400, Said: "29"}},
		{"no such value", `{"ok":true}`, 200, pointed, &notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true, Status: 200}},
		{"no JSON", `ok`, 200, pointed, &notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true, Status: 200}},
		{"another status", ``, 202, Success{Status: []int64{200}}, &notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true, Status: 202}},
		{"the status alone", ``, 202, Success{}, nil},
		{"in a list", `[{"ok":true}]`, 200, Success{Pointer: "/0/ok", Equals: []string{"true"}}, nil},
	} {
		address, _, _ := gateway(t, c.status, c.says)
		_, err := channelTo(t, Settings{URL: address, Form: map[string]string{"t": "{text}"}, Success: c.success}).Send(t.Context(), notifytest.Message())
		switch {
		case c.want == nil && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != nil:
			if got := notifytest.Failed(t, err); *got != *c.want {
				t.Errorf("%s: %+v, want %+v", c.name, *got, *c.want)
			}
		}
	}
}

func TestSettingsThatCannotWork(t *testing.T) {
	good := func() Settings { return Settings{Method: "POST", Form: map[string]string{"t": "{text}"}} }
	for name, c := range map[string]struct {
		change func(*Settings)
		want   []string
	}{
		"good":            {func(*Settings) {}, nil},
		"two bodies":      {func(s *Settings) { s.JSON = `{"t":"{text}"}` }, []string{"form wording.sms.both"}},
		"a body by GET":   {func(s *Settings) { s.Method = "GET" }, []string{"method wording.sms.get"}},
		"no JSON":         {func(s *Settings) { s.Form, s.JSON = nil, `{"t": {text}}` }, []string{"json wording.sms.json"}},
		"no text":         {func(s *Settings) { s.Form = nil }, []string{" wording.sms.text"}},
		"a hidden secret": {func(s *Settings) { s.Query = map[string]string{"k": "{secret}"} }, []string{"query wording.sms.secret"}},
		"text in a head":  {func(s *Settings) { s.Headers = map[string]string{"k": "{text}"} }, []string{"headers wording.sms.header"}},
		"half a pointer":  {func(s *Settings) { s.Success.Pointer = "/code" }, []string{"success wording.sms.success"}},
		"no pointer":      {func(s *Settings) { s.Success.ID = "code" }, []string{"success.id wording.sms.pointer"}},
	} {
		s := good()
		c.change(&s)
		var got []string
		s.Check(func(field, id string, _ ...any) { got = append(got, field+" "+id) })
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestASecretThatIsGone(t *testing.T) {
	c := channelTo(t, Settings{URL: "http://127.0.0.1:1", Secret: &secret.Ref{Name: "MISSING"}, Form: map[string]string{"t": "{text}"}})
	_, err := c.Send(t.Context(), notifytest.Message())
	if got := notifytest.Failed(t, err); got.Code != notify.FailSettings || got.Retry {
		t.Errorf("%+v", *got)
	}
}
