// Package wecom sends over WeCom (企业微信): as an app, to members and departments,
// or by a group's robot, to its group. It takes what members answer to the app.
//
// WeCom answers 200 to everything; its errcode counts, and of an app's message also
// whom it calls invalid.
package wecom

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/httpsend"
	"holdfast/internal/outgoing"
	"holdfast/internal/secret"
)

// longest is the most bytes that a text holds; WeCom cuts what is more.
const longest = 2048

// Kind is the way as an app.
var Kind = notify.Kind{
	Name: "wecom", Serves: []string{"wecom", "messenger"}, Address: "wecom", Answers: true, Longest: longest / 3,
	PerMinute: 200, PerNumber: []notify.Room{{Count: 30, Within: time.Minute}, {Count: 1000, Within: time.Hour}},
	Settings: func() any { return &Settings{} },
	Open:     open,
}

// Settings of an app.
type Settings struct {
	API      string     `yaml:"api" kind:"url" default:"https://qyapi.weixin.qq.com"`
	Corp     string     `yaml:"corp" kind:"text" required:"true" example:"ww1234567890abcdef"`
	Agent    int64      `yaml:"agent" kind:"int" min:"1" required:"true" example:"1000002"`
	Secret   secret.Ref `yaml:"secret" required:"true"`
	Party    string     `yaml:"party" kind:"text" example:"2"`
	Callback *Callback  `yaml:"callback"`
}

// Callback is what the app signs and encrypts with when it speaks to us.
type Callback struct {
	Token secret.Ref `yaml:"token" required:"true"`
	Key   secret.Ref `yaml:"key" required:"true"`
}

type message struct {
	User  string  `json:"touser,omitempty"`
	Party string  `json:"toparty,omitempty"`
	Type  string  `json:"msgtype"`
	Agent int64   `json:"agentid,omitempty"`
	Text  content `json:"text"`
}

type content struct {
	Content string `json:"content"`
}

// textOf is a message's text. A "<" begins a mention or an anchor there, and is
// parted from what follows.
func textOf(m *notify.Message) content {
	still := *m
	still.Subject, still.Text = httpsend.Part(m.Subject, "<"), httpsend.Part(m.Text, "<")
	return content{httpsend.Say(&still, longest, httpsend.Bytes)}
}

type response struct {
	Code       *int   `json:"errcode"`
	Invalid    string `json:"invaliduser"`
	Unlicensed string `json:"unlicenseduser"`
	Parties    string `json:"invalidparty"`
	ID         string `json:"msgid"`
	Token      string `json:"access_token"`
	Expires    int64  `json:"expires_in"`
}

// read is a good answer, or what went wrong.
func read(answer *httpsend.Answer, now time.Time) (response, *notify.Failure) {
	var said response
	readable := answer.Read(&said) && said.Code != nil
	switch {
	case readable && *said.Code == 0 && answer.OK():
		return said, nil
	case readable && *said.Code != 0:
		return said, answer.Failure(codes, strconv.Itoa(*said.Code), now)
	case !answer.OK():
		return said, answer.Failure(nil, "", now)
	}
	return said, answer.Strange()
}

type app struct {
	Settings

	tools  notify.Tools
	client *http.Client
	access access
}

func open(settings any, tools notify.Tools) (notify.Channel, error) {
	return &app{
		Settings: *settings.(*Settings), tools: tools, client: tools.Client(outgoing.Options{Time: 15 * time.Second}),
		access: access{turn: make(chan struct{}, 1)},
	}, nil
}

// Send implements notify.Channel. A token that WeCom no longer knows is exchanged
// once: others may have asked for one since.
func (a *app) Send(ctx context.Context, m *notify.Message) (notify.Sent, error) {
	body := message{Type: "text", Agent: a.Agent, Text: textOf(m), User: m.To}
	switch {
	case body.User == "" && a.Party == "", strings.HasPrefix(body.User, "@"), strings.Contains(body.User, "|"): // everybody, many
		return notify.Sent{}, &notify.Failure{Code: notify.FailAddress}
	case body.User == "":
		body.Party = a.Party
	}
	refused := ""
	for {
		token, err := a.token(ctx, refused)
		if err != nil {
			return notify.Sent{}, err
		}
		req, err := httpsend.JSON(ctx, a.API+"/cgi-bin/message/send?access_token="+url.QueryEscape(token), body)
		if err != nil {
			return notify.Sent{}, err
		}
		answer, err := httpsend.Ask(a.client, req)
		if err != nil {
			return notify.Sent{}, err
		}
		said, failure := read(answer, a.tools.Now())
		switch {
		case failure != nil && refused == "" && slices.Contains(stale, failure.Said):
			refused = token
		case failure != nil:
			return notify.Sent{}, failure
		case said.Invalid != "" || said.Unlicensed != "" || said.Parties != "":
			return notify.Sent{}, &notify.Failure{Code: notify.FailAddress, Status: answer.Status, Said: "invalid"}
		default:
			return notify.Sent{ID: said.ID, Arrived: true}, nil
		}
	}
}
