// Package slack posts to Slack: as an app's bot, to members and channels, or by an
// incoming webhook to the one channel that it was made for.
//
// Texts show as they are: what Slack reads as a mention or a link is escaped, and
// its markup is off. An answer 200 with "ok": false is a failure, and so is a
// webhook's 200 that is not "ok".
package slack

import (
	"context"
	"net/http"
	"strings"
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/httpsend"
	"holdfast/internal/outgoing"
	"holdfast/internal/secret"
)

// longest is what Slack recommends at most; it cuts at 40,000.
const longest = 4000

// A channel takes a message each second; a little more for a short time.
var perRoom = []notify.Room{{Count: 1, Within: time.Second}}

// Kind is the way as a bot.
var Kind = notify.Kind{
	Name: "slack", Serves: []string{"slack", "messenger"}, Address: "slack", PerMinute: 60, PerNumber: perRoom, Longest: longest,
	Settings: func() any { return &Settings{} },
	Open:     open,
}

// WebhookKind is the way by an incoming webhook.
var WebhookKind = notify.Kind{
	Name: "slack-webhook", Serves: Kind.Serves, PerMinute: 60, PerNumber: perRoom, Longest: longest,
	Settings: func() any { return &WebhookSettings{} },
	Open:     openWebhook,
}

// Settings of a bot.
type Settings struct {
	API     string     `yaml:"api" kind:"url" default:"https://slack.com/api"`
	Token   secret.Ref `yaml:"token" required:"true"`
	Channel string     `yaml:"channel" kind:"text" example:"C0123456789"`
}

// WebhookSettings are those of an incoming webhook.
type WebhookSettings struct {
	Webhook secret.Ref `yaml:"webhook" required:"true"`
}

// message is what both ways take.
type message struct {
	Channel     string `json:"channel,omitempty"`
	Text        string `json:"text"`
	Markup      bool   `json:"mrkdwn"`
	UnfurlLinks bool   `json:"unfurl_links"`
	UnfurlMedia bool   `json:"unfurl_media"`
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func escaped(text string) int { return httpsend.Runes(escaper.Replace(text)) }

func messageOf(m *notify.Message) message {
	return message{Text: escaper.Replace(httpsend.Say(m, longest, escaped))}
}

type bot struct {
	Settings

	tools  notify.Tools
	client *http.Client
}

func open(settings any, tools notify.Tools) (notify.Channel, error) {
	return &bot{*settings.(*Settings), tools, tools.Client(outgoing.Options{Time: 15 * time.Second})}, nil
}

// Send implements notify.Channel.
func (b *bot) Send(ctx context.Context, m *notify.Message) (notify.Sent, error) {
	token, err := httpsend.Secret(b.tools, b.Token)
	if err != nil {
		return notify.Sent{}, err
	}
	body := messageOf(m)
	if body.Channel = m.To; body.Channel == "" {
		body.Channel = b.Channel
	}
	if body.Channel == "" {
		return notify.Sent{}, &notify.Failure{Code: notify.FailAddress}
	}
	req, err := httpsend.JSON(ctx, b.API+"/chat.postMessage", body)
	if err != nil {
		return notify.Sent{}, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	answer, err := httpsend.Ask(b.client, req)
	if err != nil {
		return notify.Sent{}, err
	}
	var said struct {
		OK      *bool  `json:"ok"`
		Error   string `json:"error"`
		Channel string `json:"channel"`
		TS      string `json:"ts"`
	}
	readable := answer.Read(&said) && said.OK != nil
	switch {
	case readable && *said.OK && answer.OK() && said.TS != "":
		return notify.Sent{ID: said.Channel + ":" + said.TS, Arrived: true}, nil
	case readable && !*said.OK, !answer.OK():
		return notify.Sent{}, answer.Failure(codes, said.Error, b.tools.Now())
	}
	return notify.Sent{}, answer.Strange()
}

type hook struct {
	WebhookSettings

	tools  notify.Tools
	client *http.Client
}

func openWebhook(settings any, tools notify.Tools) (notify.Channel, error) {
	return &hook{*settings.(*WebhookSettings), tools, tools.Client(outgoing.Options{Time: 15 * time.Second})}, nil
}

// Send implements notify.Channel.
func (h *hook) Send(ctx context.Context, m *notify.Message) (notify.Sent, error) {
	address, err := httpsend.Hook(h.tools, h.Webhook, "https://hooks.slack.com/services/")
	if err != nil {
		return notify.Sent{}, err
	}
	req, err := httpsend.JSON(ctx, address.String(), messageOf(m))
	if err != nil {
		return notify.Sent{}, err
	}
	answer, err := httpsend.Ask(h.client, req)
	if err != nil {
		return notify.Sent{}, err
	}
	said := strings.TrimSpace(string(answer.Body))
	_, known := codes[said]
	switch {
	case answer.OK() && said == "ok":
		return notify.Sent{Arrived: true}, nil
	case answer.OK() && !known:
		return notify.Sent{}, answer.Strange()
	}
	return notify.Sent{}, answer.Failure(codes, said, h.tools.Now())
}
