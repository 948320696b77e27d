// Package telegram sends as a bot of Telegram, and takes what Telegram tells the
// bot: answers, and the button by which a page is acknowledged.
//
// Texts go without markup. Telegram makes a mention of every @name in a text,
// whatever it is told; the sign is parted from the name, unseen, so that nobody is
// called by what a text quotes.
package telegram

import (
	"context"
	"net/http"
	"net/url"
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

// longest is the most that one message holds.
const longest = 4096

// Kind is the way by a bot.
var Kind = notify.Kind{
	Name: "telegram", Serves: []string{"telegram", "messenger"}, Address: "telegram", Answers: true, Longest: longest,
	PerMinute: 60, PerNumber: []notify.Room{{Count: 1, Within: time.Second}, {Count: 20, Within: time.Minute}}, // the second is of groups
	Settings: func() any { return &Settings{} },
	Open:     open,
}

// Settings of a bot.
type Settings struct {
	API    string      `yaml:"api" kind:"url" default:"https://api.telegram.org"`
	Token  secret.Ref  `yaml:"token" required:"true"`
	Chat   string      `yaml:"chat" kind:"text" example:"-1001234567890"`
	Secret *secret.Ref `yaml:"secret"` // of the bot's webhook
}

type request struct {
	Chat    string   `json:"chat_id"`
	Text    string   `json:"text"`
	Preview preview  `json:"link_preview_options"`
	Markup  *buttons `json:"reply_markup,omitempty"`
}

type preview struct {
	Disabled bool `json:"is_disabled"`
}

type buttons struct {
	Rows [][]button `json:"inline_keyboard"`
}

type button struct {
	Text string `json:"text"`
	Data string `json:"callback_data"`
}

type channel struct {
	Settings

	tools  notify.Tools
	client *http.Client
}

func open(settings any, tools notify.Tools) (notify.Channel, error) {
	return &channel{*settings.(*Settings), tools, tools.Client(outgoing.Options{Time: 15 * time.Second})}, nil
}

// mention is what Telegram reads as one.
var mention = regexp.MustCompile(`(^|[^\pL\pN_])@([A-Za-z0-9_])`)

// Send implements notify.Channel.
func (c *channel) Send(ctx context.Context, m *notify.Message) (notify.Sent, error) {
	token, err := httpsend.Secret(c.tools, c.Token)
	if err != nil {
		return notify.Sent{}, err
	}
	still := *m
	still.Subject = mention.ReplaceAllString(m.Subject, "$1@"+httpsend.Joiner+"$2")
	still.Text = mention.ReplaceAllString(m.Text, "$1@"+httpsend.Joiner+"$2")
	body := request{Chat: m.To, Text: httpsend.Say(&still, longest, httpsend.Units), Preview: preview{Disabled: true}}
	if body.Chat == "" {
		body.Chat = c.Chat
	}
	if body.Chat == "" {
		return notify.Sent{}, &notify.Failure{Code: notify.FailAddress}
	}
	if m.Reply != "" && c.Secret != nil && c.tools.Hook != "" {
		label := catalogue.Text(catalogue.Lang(m.Language), "notify.button.acknowledge", nil)
		body.Markup = &buttons{[][]button{{{label, m.Reply}}}}
	}
	req, err := httpsend.JSON(ctx, c.API+"/bot"+url.PathEscape(token)+"/sendMessage", body)
	if err != nil {
		return notify.Sent{}, err
	}
	answer, err := httpsend.Ask(c.client, req)
	if err != nil {
		return notify.Sent{}, err
	}
	var said response
	readable := answer.Read(&said) && said.OK != nil
	switch {
	case readable && *said.OK && answer.OK() && said.Result.ID != 0:
		return notify.Sent{ID: said.Result.id(), Arrived: true}, nil
	case readable && !*said.OK:
		return notify.Sent{}, said.failure(answer, c.tools.Now())
	case !answer.OK():
		return notify.Sent{}, answer.Failure(nil, "", c.tools.Now())
	}
	return notify.Sent{}, answer.Strange()
}

type response struct {
	OK          *bool    `json:"ok"`
	Result      posted   `json:"result"`
	Code        int      `json:"error_code"`
	Description string   `json:"description"`
	Parameters  struct { // what helps to do it right
		After    int64 `json:"retry_after"`
		Migrated int64 `json:"migrate_to_chat_id"`
	} `json:"parameters"`
}

// posted is a message as Telegram has it.
type posted struct {
	ID     int64    `json:"message_id"`
	Date   int64    `json:"date"`
	Text   string   `json:"text"`
	From   account  `json:"from"`
	Chat   account  `json:"chat"`
	Reply  *posted  `json:"reply_to_message"`
	Markup *buttons `json:"reply_markup"`
}

type account struct {
	ID       int64  `json:"id"`
	Language string `json:"language_code"`
}

// id names a message: a message's number is its chat's own.
func (p *posted) id() string {
	return strconv.FormatInt(p.Chat.ID, 10) + ":" + strconv.FormatInt(p.ID, 10)
}

// causes are the parts of Telegram's descriptions that tell one 400 from another;
// it has no finer codes.
var causes = []struct{ part, code string }{
	{"chat not found", notify.FailAddress}, {"user not found", notify.FailAddress}, {"peer_id_invalid", notify.FailAddress},
	{"chat_id is empty", notify.FailAddress}, {"group chat was", notify.FailAddress}, {"group is deactivated", notify.FailAddress},
	{"not enough rights", notify.FailRefused}, {"need administrator rights", notify.FailRefused}, {"chat_write_forbidden", notify.FailRefused},
	{"have no rights", notify.FailRefused},
}

// failure is what a refusal means. The code stands in the body, too, and counts
// where the status is one of success.
func (r *response) failure(a *httpsend.Answer, now time.Time) *notify.Failure {
	status := a.Status
	if a.OK() {
		status = r.Code
	}
	f := httpsend.Status(status, a.Header, now)
	f.Status, f.Said = a.Status, strconv.Itoa(r.Code)
	switch {
	case status == http.StatusTooManyRequests:
		f.After = max(f.After, httpsend.After(strconv.FormatInt(r.Parameters.After, 10), now))
	case status == http.StatusForbidden: // blocked, deactivated, removed from the group: no other message will do
		f.Code = notify.FailAddress
	case status == http.StatusNotFound: // there is no such bot
		f.Code = notify.FailRefused
	case status == http.StatusBadRequest && r.Parameters.Migrated != 0: // the group has another number now
		f.Code = notify.FailAddress
	case status == http.StatusBadRequest:
		about := strings.ToLower(r.Description)
		for _, c := range causes {
			if strings.Contains(about, c.part) {
				f.Code = c.code
				break
			}
		}
	case a.OK() && (status < 400 || status > 599):
		f.Code, f.Retry = notify.FailUnknown, true
	}
	return f
}
