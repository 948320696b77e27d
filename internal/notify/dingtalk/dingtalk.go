// Package dingtalk posts to a group of DingTalk (钉钉) by a custom robot, signed where
// the robot wants that.
//
// DingTalk answers 200 to everything; its errcode counts. Nobody is mentioned: a
// text's own "@" does nothing unless the request names whom it means.
package dingtalk

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/httpsend"
	"holdfast/internal/outgoing"
	"holdfast/internal/secret"
)

// longest keeps a message's bytes, three for each Chinese character, below the
// 20,000 that one may have.
const longest = 5000

// Kind is the way by a group's robot.
var Kind = notify.Kind{
	Name: "dingtalk", Serves: []string{"dingtalk", "messenger"}, PerMinute: 20, Longest: longest,
	Settings: func() any { return &Settings{} },
	Open:     open,
}

// Settings of a robot.
type Settings struct {
	API     string      `yaml:"api" kind:"url" default:"https://oapi.dingtalk.com"`
	Webhook secret.Ref  `yaml:"webhook" required:"true"`
	Secret  *secret.Ref `yaml:"secret"` // that it signs with: SEC...
}

type message struct {
	Type string  `json:"msgtype"`
	Text content `json:"text"`
	At   at      `json:"at"`
}

type content struct {
	Content string `json:"content"`
}

type at struct {
	Mobiles []string `json:"atMobiles"`
	Users   []string `json:"atUserIds"`
	All     bool     `json:"isAtAll"`
}

type channel struct {
	Settings

	tools  notify.Tools
	client *http.Client
}

func open(settings any, tools notify.Tools) (notify.Channel, error) {
	return &channel{*settings.(*Settings), tools, tools.Client(outgoing.Options{Time: 15 * time.Second})}, nil
}

// Send implements notify.Channel.
func (c *channel) Send(ctx context.Context, m *notify.Message) (notify.Sent, error) {
	address, err := httpsend.Hook(c.tools, c.Webhook, c.API+"/robot/send?access_token=")
	if err != nil {
		return notify.Sent{}, err
	}
	key, err := httpsend.Optional(c.tools, c.Secret)
	if err != nil {
		return notify.Sent{}, err
	}
	if key != "" {
		stamp := strconv.FormatInt(c.tools.Now().UnixMilli(), 10)
		query := address.Query()
		query.Set("timestamp", stamp)
		query.Set("sign", signature(key.Reveal(), stamp))
		address.RawQuery = query.Encode()
	}
	req, err := httpsend.JSON(ctx, address.String(), message{
		Type: "text", Text: content{httpsend.Say(m, longest, httpsend.Runes)}, At: at{Mobiles: []string{}, Users: []string{}},
	})
	if err != nil {
		return notify.Sent{}, err
	}
	answer, err := httpsend.Ask(c.client, req)
	if err != nil {
		return notify.Sent{}, err
	}
	var said struct {
		Code    *int   `json:"errcode"`
		Message string `json:"errmsg"`
	}
	readable := answer.Read(&said) && said.Code != nil
	switch {
	case readable && *said.Code == 0 && answer.OK():
		return notify.Sent{Arrived: true}, nil
	case readable && *said.Code != 0:
		f := answer.Failure(codes, strconv.Itoa(*said.Code), c.tools.Now())
		if *said.Code == 310000 && strings.Contains(said.Message, "keyword") { // the same code is the signature's and the addresses'
			f.Code = notify.FailContent
		}
		return notify.Sent{}, f
	case !answer.OK():
		return notify.Sent{}, answer.Failure(nil, "", c.tools.Now())
	}
	return notify.Sent{}, answer.Strange()
}

// signature signs a time, in milliseconds.
func signature(key, stamp string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(stamp + "\n" + key))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// codes are those that a robot's messages are refused with.
var codes = func() httpsend.Codes {
	all := httpsend.Codes{
		"-1":     {Code: notify.FailProvider, Retry: true},                      // busy
		"130101": {Code: notify.FailRate, Retry: true, After: 10 * time.Minute}, // who sends more than 20 a minute waits for ten
		"410100": {Code: notify.FailRate, Retry: true, After: time.Minute},      //
		"90018":  {Code: notify.FailRate, Retry: true, After: time.Second},      // calls in a second
		"90030":  {Code: notify.FailRate, Retry: true, After: time.Hour},        // what the company may send in all
	}
	for meaning, numbers := range map[string][]string{
		notify.FailRefused: {"300001", "300005", "310000", "400101", "400102", "400106"},
		notify.FailAddress: {"400013"},
		notify.FailContent: {"40035", "43004", "400105", "430101", "430102", "430103", "430104"},
	} {
		for _, number := range numbers {
			all[number] = notify.Failure{Code: meaning}
		}
	}
	return all
}()
