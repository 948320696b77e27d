// Package feishu posts to a group of Feishu (飞书) or Lark by a custom bot, signed
// where the bot wants that.
//
// Messages are rich text of plain parts, in which nothing is read as markup: in the
// simpler kind of message a text's own <at user_id="all"> would call everybody. The
// answer's code counts, whatever its status.
package feishu

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

// longest keeps a request, three bytes for each Chinese character, below the 20 KB
// that it may have.
const longest = 5000

// Kind is the way by a group's bot.
var Kind = notify.Kind{
	Name: "feishu", Serves: []string{"feishu", "messenger"}, PerMinute: 100, PerNumber: []notify.Room{{Count: 5, Within: time.Second}}, Longest: longest,
	Settings: func() any { return &Settings{} },
	Open:     open,
}

// Settings of a bot. Lark's API is another.
type Settings struct {
	API     string      `yaml:"api" kind:"url" default:"https://open.feishu.cn"`
	Webhook secret.Ref  `yaml:"webhook" required:"true"`
	Secret  *secret.Ref `yaml:"secret"`
}

type message struct {
	Timestamp string  `json:"timestamp,omitempty"`
	Sign      string  `json:"sign,omitempty"`
	Type      string  `json:"msg_type"`
	Content   content `json:"content"`
}

type content struct {
	Post map[string]post `json:"post"` // by language; a reader without it sees the one that is there
}

type post struct {
	Title string   `json:"title,omitempty"`
	Lines [][]part `json:"content"`
}

type part struct {
	Tag  string `json:"tag"`
	Text string `json:"text"`
	Href string `json:"href,omitempty"`
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
	address, err := httpsend.Hook(c.tools, c.Webhook, c.API+"/open-apis/bot/v2/hook/")
	if err != nil {
		return notify.Sent{}, err
	}
	key, err := httpsend.Optional(c.tools, c.Secret)
	if err != nil {
		return notify.Sent{}, err
	}
	body := messageOf(m)
	if key != "" {
		body.Timestamp = strconv.FormatInt(c.tools.Now().Unix(), 10)
		body.Sign = signature(key.Reveal(), body.Timestamp)
	}
	req, err := httpsend.JSON(ctx, address.String(), body)
	if err != nil {
		return notify.Sent{}, err
	}
	answer, err := httpsend.Ask(c.client, req)
	if err != nil {
		return notify.Sent{}, err
	}
	var said struct {
		Code    *int   `json:"code"`
		Older   *int   `json:"StatusCode"`
		Message string `json:"msg"`
		Said    string `json:"StatusMessage"`
	}
	readable, code := answer.Read(&said) && (said.Code != nil || said.Older != nil), 0
	for _, one := range []*int{said.Older, said.Code} {
		if one != nil && *one != 0 {
			code = *one
		}
	}
	switch {
	case readable && code == 0 && answer.OK():
		return notify.Sent{Arrived: true}, nil
	case readable && code != 0:
		f := answer.Failure(codes, strconv.Itoa(code), c.tools.Now())
		if code == 9499 && strings.Contains(strings.ToLower(said.Message+said.Said), "too many") { // otherwise: a bad request
			f.Code, f.Retry, f.After = notify.FailRate, true, time.Minute
		}
		return notify.Sent{}, f
	case !answer.OK():
		return notify.Sent{}, answer.Failure(nil, "", c.tools.Now())
	}
	return notify.Sent{}, answer.Strange()
}

// messageOf has the subject for its title, and a paragraph for each line.
func messageOf(m *notify.Message) message {
	p := post{Title: httpsend.Cut(strings.ReplaceAll(strings.TrimSpace(httpsend.Plain(m.Subject)), "\n", " "), 200, httpsend.Runes)}
	text := httpsend.Cut(strings.TrimSpace(httpsend.Plain(m.Text)), longest, httpsend.Runes)
	for line := range strings.SplitSeq(text, "\n") {
		p.Lines = append(p.Lines, []part{{Tag: "text", Text: line}})
	}
	if m.Link != "" {
		p.Lines = append(p.Lines, []part{{Tag: "a", Text: m.Link, Href: m.Link}})
	}
	language := "en_us"
	if m.Language == "zh" {
		language = "zh_cn"
	}
	return message{Type: "post", Content: content{map[string]post{language: p}}}
}

// signature signs a time, in seconds: the text is the key, and what is signed is
// empty.
func signature(key, stamp string) string {
	mac := hmac.New(sha256.New, []byte(stamp+"\n"+key))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// codes are those that a bot's messages are refused with.
var codes = func() httpsend.Codes {
	all := httpsend.Codes{
		"11232":    {Code: notify.FailRate, Retry: true, After: time.Minute}, // the system's, at full hours
		"11233":    {Code: notify.FailRate, Retry: true, After: time.Minute},
		"99991400": {Code: notify.FailRate, Retry: true, After: time.Minute},
	}
	for meaning, numbers := range map[string][]string{
		notify.FailRefused: {"19001", "19021", "19022"}, // no such bot; signature or clock; address
		notify.FailContent: {"9499", "19002", "19024"},  // the last: none of the words that it wants
	} {
		for _, number := range numbers {
			all[number] = notify.Failure{Code: meaning}
		}
	}
	return all
}()
