// Package whatsapp sends by WhatsApp's Cloud API, and takes what WhatsApp tells of
// messages and what people answer.
//
// A company may write first only by a template that WhatsApp approved, and who is
// told of a failure has rarely written within the last day; so every message is one
// of a template.
package whatsapp

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/httpsend"
	"holdfast/internal/outgoing"
	"holdfast/internal/secret"
)

// longest is the most characters of one variable: a whole text has 1,024.
const longest = 700

// Kind is the way by the Cloud API. One person takes a message in six seconds.
var Kind = notify.Kind{
	Name: "whatsapp", Serves: []string{"messenger"}, Address: "whatsapp", Templates: true, Answers: true, Longest: longest,
	PerMinute: 600, PerNumber: []notify.Room{{Count: 1, Within: 6 * time.Second}},
	Settings: func() any { return &Settings{} },
	Open:     open,
}

// Settings of a number.
type Settings struct {
	API       string     `yaml:"api" kind:"url" default:"https://graph.facebook.com"`
	Version   string     `yaml:"version" kind:"text" default:"v23.0"`
	Number    string     `yaml:"number" kind:"text" required:"true" example:"\"106540352242922\""`
	Token     secret.Ref `yaml:"token" required:"true"`
	Languages Languages  `yaml:"languages"`
	Callback  *Callback  `yaml:"callback"`
}

// Languages are the codes that the templates were approved under.
type Languages struct {
	En string `yaml:"en" kind:"text" default:"en"`
	Zh string `yaml:"zh" kind:"text" default:"zh_CN"`
}

// Callback is what WhatsApp signs with, and proves itself with.
type Callback struct {
	Secret secret.Ref `yaml:"secret" required:"true"` // of the app
	Verify secret.Ref `yaml:"verify" required:"true"`
}

type request struct {
	Product   string   `json:"messaging_product"`
	Recipient string   `json:"recipient_type"`
	To        string   `json:"to"`
	Type      string   `json:"type"`
	Template  template `json:"template"`
}

type template struct {
	Name     string `json:"name"`
	Language struct {
		Code string `json:"code"`
	} `json:"language"`
	Components []component `json:"components,omitempty"`
}

type component struct {
	Type       string      `json:"type"`
	SubType    string      `json:"sub_type,omitempty"`
	Index      string      `json:"index,omitempty"`
	Parameters []parameter `json:"parameters"`
}

type parameter struct {
	Type    string `json:"type"`
	Name    string `json:"parameter_name,omitempty"`
	Text    string `json:"text,omitempty"`
	Payload string `json:"payload,omitempty"`
}

type channel struct {
	Settings

	tools  notify.Tools
	client *http.Client
}

func open(settings any, tools notify.Tools) (notify.Channel, error) {
	return &channel{*settings.(*Settings), tools, tools.Client(outgoing.Options{Time: 15 * time.Second})}, nil
}

var digits = regexp.MustCompile(`^\+?[0-9]{5,20}$`)

// Send implements notify.Channel.
func (c *channel) Send(ctx context.Context, m *notify.Message) (notify.Sent, error) {
	token, err := httpsend.Secret(c.tools, c.Token)
	if err != nil {
		return notify.Sent{}, err
	}
	switch {
	case !digits.MatchString(m.To):
		return notify.Sent{}, &notify.Failure{Code: notify.FailAddress}
	case m.Template == nil || m.Template.Code == "":
		return notify.Sent{}, &notify.Failure{Code: notify.FailTemplate}
	}
	body := request{Product: "whatsapp", Recipient: "individual", To: m.To, Type: "template"}
	body.Template.Name, body.Template.Components = m.Template.Code, componentsOf(m)
	if body.Template.Language.Code = c.Languages.En; m.Language == "zh" {
		body.Template.Language.Code = c.Languages.Zh
	}
	req, err := httpsend.JSON(ctx, c.API+"/"+url.PathEscape(c.Version)+"/"+url.PathEscape(c.Number)+"/messages", body)
	if err != nil {
		return notify.Sent{}, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	answer, err := httpsend.Ask(c.client, req)
	if err != nil {
		return notify.Sent{}, err
	}
	var said struct {
		Messages []struct {
			ID string `json:"id"`
		} `json:"messages"`
		Error *struct {
			Code int `json:"code"`
		} `json:"error"`
	}
	readable := answer.Read(&said)
	switch {
	case readable && said.Error != nil:
		return notify.Sent{}, failure(answer, said.Error.Code, c.tools.Now())
	case readable && answer.OK() && len(said.Messages) > 0 && said.Messages[0].ID != "":
		return notify.Sent{ID: said.Messages[0].ID}, nil
	case !answer.OK():
		return notify.Sent{}, answer.Failure(nil, "", c.tools.Now())
	}
	return notify.Sent{}, answer.Strange()
}

// componentsOf fills a template. A variable goes into the text unless its name says
// otherwise: header, url.N and reply.N, of the button with that number. Numbers for
// names are a template's {{1}}, {{2}}.
func componentsOf(m *notify.Message) []component {
	header, body := component{Type: "header"}, component{Type: "body"}
	var all, buttons []component
	for _, name := range namesOf(m.Template) {
		value := m.Template.Variables[name]
		kind, index, _ := strings.Cut(name, ".")
		switch {
		case kind == "reply" && index != "":
			buttons = append(buttons, component{"button", "quick_reply", index, []parameter{{Type: "payload", Payload: cmp.Or(value, m.Reply)}}})
		case kind == "url" && index != "":
			buttons = append(buttons, component{"button", "url", index, []parameter{{Type: "text", Text: value}}})
		case kind == "header":
			header.Parameters = append(header.Parameters, parameter{Type: "text", Name: index, Text: line(value)})
		default:
			if numbered(name) {
				name = ""
			}
			body.Parameters = append(body.Parameters, parameter{Type: "text", Name: name, Text: line(value)})
		}
	}
	for _, c := range []component{header, body} {
		if len(c.Parameters) > 0 {
			all = append(all, c)
		}
	}
	return append(all, buttons...)
}

func numbered(name string) bool {
	_, err := strconv.ParseUint(name, 10, 16)
	return err == nil
}

// namesOf are a template's variables in the provider's order, numbers by their
// value.
func namesOf(t *notify.Template) []string {
	if len(t.Order) > 0 {
		return t.Order
	}
	return slices.SortedFunc(maps.Keys(t.Variables), func(a, b string) int {
		first, e1 := strconv.Atoi(a)
		second, e2 := strconv.Atoi(b)
		if e1 == nil && e2 == nil {
			return cmp.Compare(first, second)
		}
		return cmp.Compare(a, b)
	})
}

// line is a value as WhatsApp takes it: without new lines, tabs and wide gaps, and
// never empty.
func line(value string) string {
	return cmp.Or(httpsend.Cut(strings.Join(strings.Fields(httpsend.Plain(value)), " "), longest, httpsend.Runes), "-")
}
