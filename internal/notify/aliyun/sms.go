package aliyun

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/sms"
)

// SMS is the way by text message.
var SMS = notify.Kind{
	Name: "sms-aliyun", Serves: []string{"sms"}, Address: "phone", Templates: true, Answers: true, PerMinute: 60,
	PerNumber: []notify.Room{{Count: 1, Within: time.Minute}, {Count: 5, Within: time.Hour}, {Count: 10, Within: 24 * time.Hour}},
	Settings:  func() any { return &SMSSettings{} },
	Open: func(settings any, tools notify.Tools) (notify.Channel, error) {
		return &texts{*settings.(*SMSSettings), tools, clientOf(tools)}, nil
	},
}

// SMSSettings are those of text messages.
type SMSSettings struct {
	Account   Account        `yaml:"account" required:"true"`
	Sign      string         `yaml:"sign" kind:"text" required:"true" example:"某公司"`
	URL       string         `yaml:"url" kind:"url" default:"https://dysmsapi.aliyuncs.com"`
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
	with, err := parameters(m, "TemplateCode", "TemplateParam")
	if err != nil {
		return notify.Sent{}, err
	}
	number, err := sms.Number(m.To)
	if err != nil {
		return notify.Sent{}, err
	}
	with.Set("PhoneNumbers", sms.Local(number))
	with.Set("SignName", cmp.Or(m.Template.Sign, c.Sign))
	a, err := call(ctx, c.client, c.tools, c.Account, c.URL, "SendSms", "2017-05-25", with)
	return notify.Sent{ID: a.BizID}, err
}

// parameters are those of the approved text.
func parameters(m *notify.Message, code, param string) (url.Values, error) {
	if m.Template == nil || m.Template.Code == "" {
		return nil, &notify.Failure{Code: notify.FailTemplate}
	}
	with := url.Values{code: {m.Template.Code}, "OutId": {m.Key[:min(len(m.Key), 256)]}}
	if len(m.Template.Variables) > 0 {
		text, err := json.Marshal(m.Template.Variables)
		if err != nil {
			return nil, err
		}
		with.Set(param, string(text))
	}
	return with, nil
}

// said is what comes back: what became of messages (SmsReport), and what people
// answer (SmsUp).
type said struct {
	Number   string `json:"phone_number"`
	Reported string `json:"report_time"`
	Sent     string `json:"send_time"`
	Success  *bool  `json:"success"`
	Code     string `json:"err_code"`
	BizID    string `json:"biz_id"`

	Content *string `json:"content"`
}

// Receive implements notify.Receiver.
func (c *texts) Receive(r *http.Request, body []byte) (notify.Answer, []notify.Event, error) {
	if err := c.Callbacks.Admit(r, c.tools); err != nil {
		return notify.Answer{}, nil, err
	}
	var all []said
	if err := json.Unmarshal(body, &all); err != nil {
		return notify.Answer{}, nil, err
	}
	var events []notify.Event
	for _, s := range all {
		switch {
		case s.Content != nil:
			events = append(events, notify.Event{Kind: notify.EventReply, From: address(s.Number), Text: sms.Bounded(*s.Content), At: sms.Time(s.Sent)})
		case s.Success == nil || s.BizID == "":
		case *s.Success:
			events = append(events, notify.Event{Kind: notify.EventArrived, ID: s.BizID, From: address(s.Number), At: sms.Time(s.Reported)})
		default:
			events = append(events, notify.Event{Kind: notify.EventFailed, ID: s.BizID, From: address(s.Number), At: sms.Time(s.Reported), Code: sms.Code(s.Code)})
		}
	}
	return taken, events, nil
}

// taken is the answer by which the provider knows that a callback was taken.
var taken = notify.Answer{Type: "application/json", Body: []byte(`{"code":0,"msg":"OK"}`)}

func address(number string) string {
	if n, err := sms.Number(number); err == nil {
		return n
	}
	return ""
}
