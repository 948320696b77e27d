// Package ntfy publishes to a topic of ntfy, on ntfy.sh or a server of one's own.
// Who subscribes to the topic is told; the link is what a tap opens.
package ntfy

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/notify"
	"holdfast/internal/notify/httpsend"
	"holdfast/internal/outgoing"
	"holdfast/internal/secret"
)

// What is longer becomes a file that has to be opened.
const longest = 4096

// Kind is the way by ntfy. A server gives back one message in five seconds to who
// has sent sixty.
var Kind = notify.Kind{
	Name: "ntfy", Serves: []string{"messenger"}, Address: "ntfy", PerMinute: 12, Longest: longest / 3,
	Settings: func() any { return &Settings{} },
	Open:     open,
}

// Settings of a server.
type Settings struct {
	Server string      `yaml:"server" kind:"url" default:"https://ntfy.sh"`
	Topic  string      `yaml:"topic" kind:"text" example:"shop-alerts-x7Kq2"`
	Token  *secret.Ref `yaml:"token"`
}

const (
	ordinary = 3
	loudest  = 5 // it sounds where the phone is set to disturb for it
)

type message struct {
	Topic    string   `json:"topic"`
	Title    string   `json:"title,omitempty"`
	Text     string   `json:"message"`
	Priority int      `json:"priority"`
	Click    string   `json:"click,omitempty"`
	Actions  []action `json:"actions,omitempty"`
}

type action struct {
	Action string `json:"action"`
	Label  string `json:"label"`
	URL    string `json:"url"`
	Clear  bool   `json:"clear"`
}

type channel struct {
	Settings

	tools  notify.Tools
	client *http.Client
}

func open(settings any, tools notify.Tools) (notify.Channel, error) {
	return &channel{*settings.(*Settings), tools, tools.Client(outgoing.Options{Time: 15 * time.Second})}, nil
}

var topic = regexp.MustCompile(`^[-_A-Za-z0-9]{1,64}$`)

// Send implements notify.Channel.
func (c *channel) Send(ctx context.Context, m *notify.Message) (notify.Sent, error) {
	token, err := httpsend.Optional(c.tools, c.Token)
	if err != nil {
		return notify.Sent{}, err
	}
	body := message{
		Topic: m.To, Priority: ordinary, Click: m.Link,
		Title: httpsend.Cut(strings.ReplaceAll(strings.TrimSpace(httpsend.Plain(m.Subject)), "\n", " "), 250, httpsend.Runes),
		Text:  httpsend.Cut(strings.TrimSpace(httpsend.Plain(m.Text)), longest, httpsend.Bytes),
	}
	if body.Topic == "" {
		body.Topic = c.Topic
	}
	if !topic.MatchString(body.Topic) {
		return notify.Sent{}, &notify.Failure{Code: notify.FailAddress}
	}
	if m.Urgent {
		body.Priority = loudest
	}
	if m.Link != "" {
		label := "notify.button.open"
		if m.Reply != "" {
			label = "notify.button.acknowledge"
		}
		body.Actions = []action{{"view", catalogue.Text(catalogue.Lang(m.Language), label, nil), m.Link, true}}
	}
	req, err := httpsend.JSON(ctx, c.Server+"/", body)
	if err != nil {
		return notify.Sent{}, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token.Reveal())
	}
	answer, err := httpsend.Ask(c.client, req)
	if err != nil {
		return notify.Sent{}, err
	}
	var said struct {
		ID    string `json:"id"`
		Event string `json:"event"`
		Code  int    `json:"code"`
	}
	readable := answer.Read(&said)
	switch {
	case readable && answer.OK() && said.Event == "message" && said.ID != "":
		return notify.Sent{ID: said.ID}, nil
	case readable && said.Code != 0:
		return notify.Sent{}, answer.Failure(codes, strconv.Itoa(said.Code), c.tools.Now())
	case !answer.OK():
		return notify.Sent{}, answer.Failure(nil, "", c.tools.Now())
	}
	return notify.Sent{}, answer.Strange()
}

// codes are those whose status says too little.
var codes = httpsend.Codes{
	"40009": {Code: notify.FailAddress}, "40010": {Code: notify.FailAddress}, // no name of a topic; one that is the server's own
	"42908": {Code: notify.FailRate, Retry: true, After: time.Hour}, // what a day holds
}
