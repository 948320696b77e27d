// Package smshttp sends text messages by any gateway that takes them over HTTP: the
// settings say what a request looks like, and by what in its answer a message was
// taken. An answer of success whose body says otherwise is a failure.
package smshttp

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
	"holdfast/internal/notify/httpsend"
	"holdfast/internal/notify/sms"
	"holdfast/internal/outgoing"
	"holdfast/internal/secret"
)

// Kind is the way by a gateway.
var Kind = notify.Kind{
	Name: "sms-http", Serves: []string{"sms"}, Address: "phone", PerMinute: 60,
	PerNumber: []notify.Room{{Count: 1, Within: time.Minute}, {Count: 5, Within: time.Hour}, {Count: 10, Within: 24 * time.Hour}},
	Settings:  func() any { return &Settings{} },
	Open: func(settings any, tools notify.Tools) (notify.Channel, error) {
		return &channel{*settings.(*Settings), tools, tools.Client(outgoing.Options{Time: 15 * time.Second, Body: 64 << 10})}, nil
	},
}

// Settings of a gateway. In the values of headers, query and form, and in the JSON,
// {to}, {text}, {key} and {secret} are filled in.
type Settings struct {
	URL       string            `yaml:"url" kind:"url" required:"true" example:"https://sms.example.com/send"`
	Method    string            `yaml:"method" kind:"word" of:"POST,PUT,GET" default:"POST"`
	Secret    *secret.Ref       `yaml:"secret" example:"{secret: SMS_GATEWAY}"`
	Headers   map[string]string `yaml:"headers" kind:"text" names:"text" example:"{Authorization: \"Bearer {secret}\"}"`
	Query     map[string]string `yaml:"query" kind:"text" names:"text"`
	Form      map[string]string `yaml:"form" kind:"text" names:"text" example:"{mobile: \"{to}\", content: \"{text}\"}"`
	JSON      string            `yaml:"json" kind:"text" example:"'{\"phone\": \"{to}\", \"message\": \"{text}\"}'"`
	Number    string            `yaml:"number" kind:"word" of:"e164,digits,local" default:"e164"`
	Sign      string            `yaml:"sign" kind:"text" example:"某公司"`
	Success   Success           `yaml:"success"`
	PerNumber *sms.Limits       `yaml:"per_number"`
}

// Success is by what a message is known to be taken.
type Success struct {
	Status  []int64           `yaml:"status" kind:"int" min:"200" max:"299" example:"[200]"`
	Pointer string            `yaml:"pointer" kind:"text" example:"/code"`
	Equals  []string          `yaml:"equals" kind:"text" example:"[\"0\"]"`
	ID      string            `yaml:"id" kind:"text" example:"/data/msgid"`
	Means   map[string]string `yaml:"means" kind:"word" of:"rate,address,template,content,balance,refused,provider" names:"text" example:"{\"103\": address, \"109\": balance}"`
}

// Rooms implements notify.Bounded.
func (s *Settings) Rooms() []notify.Room { return s.PerNumber.Rooms() }

// Signature implements notify.Signed.
func (s *Settings) Signature() string { return s.Sign }

// Check implements notify.Checked.
func (s *Settings) Check(report func(field, id string, pairs ...any)) {
	if s.JSON != "" && len(s.Form) > 0 {
		report("form", "wording.sms.both")
	}
	if s.Method == http.MethodGet && (s.JSON != "" || len(s.Form) > 0) {
		report("method", "wording.sms.get")
	}
	if s.JSON != "" && !json.Valid([]byte(filler("1", "text", "key", "secret", inJSON).Replace(s.JSON))) {
		report("json", "wording.sms.json")
	}
	for _, name := range s.everywhere() {
		if strings.Contains(name.text, "{secret}") && s.Secret == nil {
			report(name.field, "wording.sms.secret")
		}
		if name.field == "headers" && strings.Contains(name.text, "{text}") {
			report(name.field, "wording.sms.header")
		}
	}
	if !slices.ContainsFunc(s.everywhere(), func(p part) bool { return strings.Contains(p.text, "{text}") }) {
		report("", "wording.sms.text")
	}
	if (s.Success.Pointer == "") != (len(s.Success.Equals) == 0) {
		report("success", "wording.sms.success")
	}
	for field, pointer := range map[string]string{"success.pointer": s.Success.Pointer, "success.id": s.Success.ID} {
		if pointer != "" && pointer[0] != '/' {
			report(field, "wording.sms.pointer", "value", pointer)
		}
	}
}

type part struct{ field, text string }

// everywhere are the texts in which something is filled in.
func (s *Settings) everywhere() []part {
	all := []part{{"json", s.JSON}}
	for field, texts := range map[string]map[string]string{"headers": s.Headers, "query": s.Query, "form": s.Form} {
		for _, text := range texts {
			all = append(all, part{field, text})
		}
	}
	return all
}

type channel struct {
	Settings

	tools  notify.Tools
	client *http.Client
}

// Send implements notify.Channel.
func (c *channel) Send(ctx context.Context, m *notify.Message) (notify.Sent, error) {
	number, err := sms.Number(m.To)
	if err != nil {
		return notify.Sent{}, err
	}
	var key continuity.Secret
	if c.Secret != nil {
		if key, err = c.tools.Secret(*c.Secret); err != nil {
			return notify.Sent{}, &notify.Failure{Code: notify.FailSettings}
		}
	}
	req, err := c.request(ctx, m, c.written(number), key.Reveal())
	if err != nil {
		return notify.Sent{}, &notify.Failure{Code: notify.FailSettings}
	}
	said, err := httpsend.Ask(c.client, req)
	if err != nil {
		return notify.Sent{}, err
	}
	return c.judge(said)
}

// request is what the gateway gets.
func (c *channel) request(ctx context.Context, m *notify.Message, number, key string) (*http.Request, error) {
	text := Text(m, c.Sign)
	plain := filler(number, text, m.Key, key, func(s string) string { return s })
	to, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	query := to.Query()
	for name, value := range c.Query {
		query.Set(name, plain.Replace(value))
	}
	to.RawQuery = query.Encode()
	body, kind := "", ""
	switch {
	case c.JSON != "":
		body, kind = filler(number, text, m.Key, key, inJSON).Replace(c.JSON), "application/json"
	case len(c.Form) > 0:
		form := url.Values{}
		for name, value := range c.Form {
			form.Set(name, plain.Replace(value))
		}
		body, kind = form.Encode(), "application/x-www-form-urlencoded"
	}
	req, err := http.NewRequestWithContext(ctx, c.Method, to.String(), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	for name, value := range c.Headers {
		req.Header.Set(name, plain.Replace(value))
	}
	return req, nil
}

// Text is what a message says on a phone: one piece, behind the signature.
func Text(m *notify.Message, sign string) string {
	text := strings.TrimSpace(m.Text)
	if text == "" {
		text = m.Subject
	}
	if m.Link != "" && !strings.Contains(text, m.Link) {
		text += "\n" + m.Link
	}
	if m.Template != nil && m.Template.Sign != "" {
		sign = m.Template.Sign
	}
	return sms.Signed(sign, text)
}

func filler(to, text, key, secret string, as func(string) string) *strings.Replacer {
	return strings.NewReplacer("{to}", as(to), "{text}", as(text), "{key}", as(key), "{secret}", as(secret))
}

// inJSON is a text as it stands between the quotation marks of JSON.
func inJSON(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		return "" // a text can be written
	}
	return string(quoted[1 : len(quoted)-1])
}

func (c *channel) written(number string) string {
	switch c.Number {
	case "digits":
		return strings.TrimPrefix(number, "+")
	case "local":
		return sms.Local(number)
	}
	return number
}

// judge reads an answer.
func (c *channel) judge(said *httpsend.Answer) (notify.Sent, error) {
	var body any
	if c.Success.Pointer != "" || c.Success.ID != "" {
		d := json.NewDecoder(strings.NewReader(string(said.Body)))
		d.UseNumber()
		if err := d.Decode(&body); err != nil {
			body = nil
		}
	}
	value, there := at(body, c.Success.Pointer)
	if means, known := c.Success.Means[value]; there && known {
		return notify.Sent{}, &notify.Failure{Code: means, Retry: means == notify.FailRate || means == notify.FailProvider, Status: said.Status, Said: sms.Code(value)}
	}
	switch {
	case !said.OK():
		return notify.Sent{}, httpsend.Status(said.Status, said.Header, c.tools.Now())
	case len(c.Success.Status) > 0 && !slices.Contains(c.Success.Status, int64(said.Status)),
		c.Success.Pointer != "" && !there:
		return notify.Sent{}, &notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true, Status: said.Status}
	case c.Success.Pointer != "" && !slices.Contains(c.Success.Equals, value):
		return notify.Sent{}, &notify.Failure{Code: notify.FailUnknown, Retry: true, Status: said.Status, Said: sms.Code(value)}
	}
	id, _ := at(body, c.Success.ID)
	return notify.Sent{ID: sms.Code(id)}, nil
}

// at is the text of the value to which a pointer leads.
func at(body any, pointer string) (string, bool) {
	if pointer == "" {
		return "", false
	}
	for _, name := range strings.Split(pointer[1:], "/") {
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		switch v := body.(type) {
		case map[string]any:
			body = v[name]
		case []any:
			if name != "0" || len(v) == 0 {
				return "", false
			}
			body = v[0]
		default:
			return "", false
		}
	}
	switch v := body.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return map[bool]string{true: "true", false: "false"}[v], true
	}
	return "", false
}
