package tencent

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/sms"
)

// SMS is the way by text message.
var SMS = notify.Kind{
	Name: "sms-tencent", Serves: []string{"sms"}, Address: "phone", Templates: true, Answers: true, PerMinute: 60,
	PerNumber: []notify.Room{{Count: 1, Within: 30 * time.Second}, {Count: 10, Within: 24 * time.Hour}},
	Settings:  func() any { return &SMSSettings{} },
	Open: func(settings any, tools notify.Tools) (notify.Channel, error) {
		return &texts{*settings.(*SMSSettings), tools, clientOf(tools)}, nil
	},
}

// SMSSettings are those of text messages.
type SMSSettings struct {
	Account   Account        `yaml:"account" required:"true"`
	App       string         `yaml:"app" kind:"text" required:"true" example:"\"1400006666\""`
	Sign      string         `yaml:"sign" kind:"text" required:"true" example:"某公司"`
	Region    string         `yaml:"region" kind:"text" default:"ap-guangzhou"`
	URL       string         `yaml:"url" kind:"url" default:"https://sms.tencentcloudapi.com"`
	PerNumber *sms.Limits    `yaml:"per_number"`
	Callbacks *sms.Callbacks `yaml:"callbacks"`
}

// Rooms implements notify.Bounded.
func (s *SMSSettings) Rooms() []notify.Room { return s.PerNumber.Rooms() }

// Signature implements notify.Signed.
func (s *SMSSettings) Signature() string { return s.Sign }

type texts struct {
	SMSSettings

	tools  notify.Tools
	client *http.Client
}

// Send implements notify.Channel.
func (c *texts) Send(ctx context.Context, m *notify.Message) (notify.Sent, error) {
	values, err := inOrder(m)
	if err != nil {
		return notify.Sent{}, err
	}
	number, err := sms.Number(m.To)
	if err != nil {
		return notify.Sent{}, err
	}
	a, said, err := call(ctx, c.client, c.tools, c.Account, c.URL, operation{"sms", "SendSms", "2021-01-11", c.Region}, map[string]any{
		"PhoneNumberSet": []string{number}, "SmsSdkAppId": c.App, "SignName": cmp.Or(m.Template.Sign, c.Sign),
		"TemplateId": m.Template.Code, "TemplateParamSet": values, "SessionContext": m.Key[:min(len(m.Key), 500)],
	})
	switch {
	case err != nil:
		return notify.Sent{}, err
	case len(a.Set) != 1:
		return notify.Sent{}, unclear(said)
	case a.Set[0].Code != "Ok":
		return notify.Sent{}, failure(a.Set[0].Code, said)
	}
	return notify.Sent{ID: a.Set[0].Serial, Fraction: a.Set[0].Fee}, nil
}

// inOrder are the values of the approved text's variables.
func inOrder(m *notify.Message) ([]string, error) {
	if m.Template == nil || m.Template.Code == "" {
		return nil, &notify.Failure{Code: notify.FailTemplate}
	}
	values := []string{}
	for _, name := range m.Template.Order {
		value, ok := m.Template.Variables[name]
		if !ok {
			return nil, &notify.Failure{Code: notify.FailTemplate}
		}
		values = append(values, value)
	}
	return values, nil
}

// receipt is what became of a message.
type receipt struct {
	At     string `json:"user_receive_time"`
	Nation string `json:"nationcode"`
	Mobile string `json:"mobile"`
	Status string `json:"report_status"`
	Code   string `json:"errmsg"`
	Serial string `json:"sid"`
}

// reply is what a person answered.
type reply struct {
	Nation string `json:"nationcode"`
	Mobile string `json:"mobile"`
	Text   string `json:"text"`
	At     int64  `json:"time"`
}

// Receive implements notify.Receiver.
func (c *texts) Receive(r *http.Request, body []byte) (notify.Answer, []notify.Event, error) {
	if err := c.Callbacks.Admit(r, c.tools); err != nil {
		return notify.Answer{}, nil, err
	}
	if !bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")) {
		var one reply
		if err := json.Unmarshal(body, &one); err != nil || one.Mobile == "" {
			return notify.Answer{}, nil, err
		}
		return taken, []notify.Event{{Kind: notify.EventReply, From: address(one.Nation, one.Mobile), Text: sms.Bounded(one.Text), At: time.Unix(one.At, 0)}}, nil
	}
	var all []receipt
	if err := json.Unmarshal(body, &all); err != nil {
		return notify.Answer{}, nil, err
	}
	var events []notify.Event
	for _, s := range all {
		e := notify.Event{Kind: notify.EventArrived, ID: s.Serial, From: address(s.Nation, s.Mobile), At: sms.Time(s.At)}
		if s.Status != "SUCCESS" {
			e.Kind, e.Code = notify.EventFailed, sms.Code(s.Code)
		}
		if s.Serial != "" {
			events = append(events, e)
		}
	}
	return taken, events, nil
}

// taken is the answer by which the provider knows that a callback was taken.
var taken = notify.Answer{Type: "application/json", Body: []byte(`{"result":0,"errmsg":"OK"}`)}

func address(nation, mobile string) string {
	if n, err := sms.Number("+" + nation + mobile); err == nil {
		return n
	}
	return ""
}
