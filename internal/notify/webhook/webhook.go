// Package webhook tells another system of notifications, signed as Standard
// Webhooks says. The id is the same at each attempt, so that a receiver that keeps
// ids takes none twice.
package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/httpsend"
	"holdfast/internal/outgoing"
	"holdfast/internal/secret"
	"holdfast/internal/sign"
)

// Kind is the way by webhook.
var Kind = notify.Kind{
	Name: "webhook", Serves: []string{"webhook", "site", "board", "messenger"}, Keys: true, PerMinute: 60,
	Settings: func() any { return &Settings{} },
	Open:     open,
}

// Settings of a webhook.
type Settings struct {
	URL    string     `yaml:"url" kind:"url" required:"true" example:"https://board.example.com/in/holdfast"`
	Secret secret.Ref `yaml:"secret" required:"true"`
}

// payload is what the other system gets.
type payload struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      data      `json:"data"`
}

type data struct {
	ID       string `json:"id"`
	Repeat   bool   `json:"repeat,omitempty"`
	To       string `json:"to,omitempty"`
	Language string `json:"language"`
	Urgent   bool   `json:"urgent,omitempty"`
	Subject  string `json:"subject,omitempty"`
	Text     string `json:"text"`
	Link     string `json:"link,omitempty"`
	Thread   string `json:"thread,omitempty"`
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
	key, err := c.tools.Secret(c.Secret)
	if err != nil {
		return notify.Sent{}, &notify.Failure{Code: notify.FailSettings}
	}
	now := c.tools.Now()
	body, err := json.Marshal(payload{"notification", now.UTC(), data{m.Key, m.Repeat, m.To, m.Language, m.Urgent, m.Subject, m.Text, m.Link, m.Thread}})
	if err != nil {
		return notify.Sent{}, err
	}
	signature, err := sign.WebhookSignature(key, m.Key, now.Unix(), body)
	if err != nil {
		return notify.Sent{}, &notify.Failure{Code: notify.FailSettings}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(body))
	if err != nil {
		return notify.Sent{}, &notify.Failure{Code: notify.FailSettings}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("webhook-id", m.Key)
	req.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	req.Header.Set("webhook-signature", signature)
	res, err := httpsend.Do(c.client, req, now)
	if err != nil {
		return notify.Sent{}, err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body) // so that the connection can be used again
	return notify.Sent{Arrived: true}, nil
}
