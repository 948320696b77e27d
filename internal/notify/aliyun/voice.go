package aliyun

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/sms"
)

// Voice is the way by call: an approved text is read out, and who hears it
// acknowledges by a key.
var Voice = notify.Kind{
	Name: "voice-aliyun", Serves: []string{"phone"}, Address: "phone", Templates: true, Answers: true, PerMinute: 60,
	PerNumber: []notify.Room{{Count: 1, Within: time.Minute}, {Count: 5, Within: time.Hour}, {Count: 20, Within: 24 * time.Hour}},
	Settings:  func() any { return &VoiceSettings{} },
	Open: func(settings any, tools notify.Tools) (notify.Channel, error) {
		return &calls{*settings.(*VoiceSettings), tools, clientOf(tools)}, nil
	},
}

// VoiceSettings are those of calls.
type VoiceSettings struct {
	Account   Account        `yaml:"account" required:"true"`
	Number    string         `yaml:"number" kind:"text" example:"\"05718888666\""`
	Times     int64          `yaml:"times" kind:"int" min:"1" max:"3" default:"3"`
	Key       string         `yaml:"key" kind:"word" of:"0,1,2,3,4,5,6,7,8,9" default:"1"`
	URL       string         `yaml:"url" kind:"url" default:"https://dyvmsapi.aliyuncs.com"`
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
	with, err := parameters(m, "TtsCode", "TtsParam")
	if err != nil {
		return notify.Sent{}, err
	}
	number, err := sms.Number(m.To)
	if err != nil {
		return notify.Sent{}, err
	}
	with.Set("CalledNumber", sms.Local(number))
	with.Set("PlayTimes", strconv.FormatInt(c.Times, 10))
	if c.Number != "" {
		with.Set("CalledShowNumber", c.Number)
	}
	a, err := call(ctx, c.client, c.tools, c.Account, c.URL, "SingleCallByTts", "2017-05-25", with)
	return notify.Sent{ID: a.CallID}, err
}

// report is what becomes of a call: keys while it goes on (VoiceCallReport), and
// how it ended (VoiceReport).
type report struct {
	ID     string `json:"call_id"`
	Status string `json:"status_code"`
	Keys   string `json:"dtmf"`
	At     string `json:"status_time"`
	Callee string `json:"callee"`
	Began  string `json:"start_time"`
	Ended  string `json:"end_time"`
	Length string `json:"duration"`
	Asked  string `json:"originate_time"` // of the end only
}

// Receive implements notify.Receiver.
func (c *calls) Receive(r *http.Request, body []byte) (notify.Answer, []notify.Event, error) {
	if err := c.Callbacks.Admit(r, c.tools); err != nil {
		return notify.Answer{}, nil, err
	}
	var all []report
	if err := json.Unmarshal(body, &all); err != nil {
		return notify.Answer{}, nil, err
	}
	var events []notify.Event
	for _, s := range all {
		if s.ID == "" {
			continue
		}
		e := notify.Event{ID: s.ID, From: address(s.Callee), Code: sms.Code(s.Status)}
		over := s.Length != "" || s.Asked != ""
		switch answered := s.Began != ""; {
		case over && answered:
			e.Kind, e.At, e.Code = notify.EventArrived, sms.Time(s.Began), ""
			events = append(events, e)
		case over:
			e.Kind, e.At = notify.EventFailed, sms.Time(s.Ended)
			events = append(events, e)
		}
		if s.Keys == "" {
			continue
		}
		e.Kind, e.Text, e.Code, e.At = notify.EventReply, sms.Bounded(s.Keys), "", sms.Time(s.At)
		if strings.Contains(s.Keys, c.Key) {
			e.Kind = notify.EventAcknowledged
		}
		events = append(events, e)
	}
	return taken, events, nil
}
