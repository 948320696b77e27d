package tencent

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/sms"
)

// Voice is the way by call: an approved text is read out, and who hears it
// acknowledges by a key.
var Voice = notify.Kind{
	Name: "voice-tencent", Serves: []string{"phone"}, Address: "phone", Templates: true, Answers: true, PerMinute: 60, Longest: 350,
	Settings: func() any { return &VoiceSettings{} },
	Open: func(settings any, tools notify.Tools) (notify.Channel, error) {
		return &calls{*settings.(*VoiceSettings), tools, clientOf(tools)}, nil
	},
}

// VoiceSettings are those of calls.
type VoiceSettings struct {
	Account   Account        `yaml:"account" required:"true"`
	App       string         `yaml:"app" kind:"text" required:"true" example:"\"1400006666\""`
	Times     int64          `yaml:"times" kind:"int" min:"1" max:"3" default:"3"`
	Key       string         `yaml:"key" kind:"word" of:"0,1,2,3,4,5,6,7,8,9" default:"1"`
	Region    string         `yaml:"region" kind:"text" default:"ap-guangzhou"`
	URL       string         `yaml:"url" kind:"url" default:"https://vms.tencentcloudapi.com"`
	PerNumber *sms.Limits    `yaml:"per_number"`
	Callbacks *sms.Callbacks `yaml:"callbacks"`
}

// Rooms implements notify.Bounded.
func (s *VoiceSettings) Rooms() []notify.Room { return s.PerNumber.Rooms() }

type calls struct {
	VoiceSettings

	tools  notify.Tools
	client *http.Client
}

// Send implements notify.Channel.
func (c *calls) Send(ctx context.Context, m *notify.Message) (notify.Sent, error) {
	values, err := inOrder(m)
	if err != nil {
		return notify.Sent{}, err
	}
	number, err := sms.Number(m.To)
	if err != nil {
		return notify.Sent{}, err
	}
	a, said, err := call(ctx, c.client, c.tools, c.Account, c.URL, operation{"vms", "SendTtsVoice", "2020-09-02", c.Region}, map[string]any{
		"CalledNumber": number, "VoiceSdkAppid": c.App, "TemplateId": m.Template.Code, "TemplateParamSet": values,
		"PlayTimes": c.Times, "SessionContext": m.Key[:min(len(m.Key), 500)],
	})
	switch {
	case err != nil:
		return notify.Sent{}, err
	case a.Call == nil || a.Call.ID == "":
		return notify.Sent{}, unclear(said)
	}
	return notify.Sent{ID: a.Call.ID}, nil
}

// what a call came to; one of these at a time.
type called struct {
	Key  *callback `json:"voicekey_callback"`
	End  *callback `json:"voiceprompt_callback"`
	Fail *callback `json:"voice_failure_callback"`
}

type callback struct {
	ID       string      `json:"callid"`
	Nation   string      `json:"nationcode"`
	Mobile   string      `json:"mobile"`
	Pressed  string      `json:"keypress"`
	Result   string      `json:"result"` // 0: answered
	Accepted string      `json:"accept_time"`
	Failure  json.Number `json:"failure_code"`
}

// Receive implements notify.Receiver.
func (c *calls) Receive(r *http.Request, body []byte) (notify.Answer, []notify.Event, error) {
	if err := c.Callbacks.Admit(r, c.tools); err != nil {
		return notify.Answer{}, nil, err
	}
	var what called
	if err := json.Unmarshal(body, &what); err != nil {
		return notify.Answer{}, nil, err
	}
	var events []notify.Event
	note := func(b *callback, kind, text, code string) {
		if b.ID != "" {
			e := notify.Event{Kind: kind, ID: b.ID, From: address(b.Nation, b.Mobile), Text: text, Code: code}
			if at, err := strconv.ParseInt(b.Accepted, 10, 64); err == nil && at > 0 {
				e.At = time.Unix(at, 0)
			}
			events = append(events, e)
		}
	}
	if b := what.Key; b != nil {
		kind := notify.EventReply
		if b.Pressed == c.Key {
			kind = notify.EventAcknowledged
		}
		note(b, kind, sms.Bounded(b.Pressed), "")
	}
	if b := what.End; b != nil && b.Result == "0" {
		note(b, notify.EventArrived, "", "")
	} else if b != nil {
		note(b, notify.EventFailed, "", "result-"+sms.Code(b.Result))
	}
	if b := what.Fail; b != nil {
		note(b, notify.EventFailed, "", "failure-"+sms.Code(b.Failure.String()))
	}
	return taken, events, nil
}
