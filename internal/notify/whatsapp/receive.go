package whatsapp

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/httpsend"
)

// mostReply bounds what is kept of an answer, in characters.
const mostReply = 1000

var errNotWhatsApp = errors.New("whatsapp: the callback is not signed as agreed")

type callback struct {
	Entries []struct {
		Changes []struct {
			Value value `json:"value"`
		} `json:"changes"`
	} `json:"entry"`
}

type value struct {
	Metadata struct {
		Number string `json:"phone_number_id"`
	} `json:"metadata"`
	Statuses []status   `json:"statuses"`
	Messages []incoming `json:"messages"`
}

type status struct {
	ID        string `json:"id"`
	Status    string `json:"status"`
	Timestamp string `json:"timestamp"`
	To        string `json:"recipient_id"`
	Errors    []struct {
		Code int `json:"code"`
	} `json:"errors"`
}

type incoming struct {
	From      string `json:"from"`
	Timestamp string `json:"timestamp"`
	Text      struct {
		Body string `json:"body"`
	} `json:"text"`
	Button struct { // of a template
		Payload string `json:"payload"`
		Text    string `json:"text"`
	} `json:"button"`
	Interactive struct {
		Reply struct {
			ID    string `json:"id"`
			Title string `json:"title"`
		} `json:"button_reply"`
	} `json:"interactive"`
	Context struct {
		ID string `json:"id"`
	} `json:"context"`
}

// Receive implements notify.Receiver. A GET is the proof, asked for once, that the
// address is the company's.
func (c *channel) Receive(r *http.Request, body []byte) (notify.Answer, []notify.Event, error) {
	if c.Callback == nil {
		return notify.Answer{}, nil, errNotWhatsApp
	}
	if r.Method == http.MethodGet {
		want, err := httpsend.Secret(c.tools, c.Callback.Verify)
		query := r.URL.Query()
		if err != nil || query.Get("hub.mode") != "subscribe" || subtle.ConstantTimeCompare([]byte(query.Get("hub.verify_token")), []byte(want)) != 1 {
			return notify.Answer{}, nil, errNotWhatsApp
		}
		return notify.Answer{Type: "text/plain", Body: []byte(query.Get("hub.challenge"))}, nil, nil
	}
	key, err := httpsend.Secret(c.tools, c.Callback.Secret)
	if err != nil {
		return notify.Answer{}, nil, err
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(body)
	want := "sha256=" + hex.EncodeToString(mac.Sum(nil))
	if subtle.ConstantTimeCompare([]byte(r.Header.Get("X-Hub-Signature-256")), []byte(want)) != 1 {
		return notify.Answer{}, nil, errNotWhatsApp
	}
	var said callback
	if json.Unmarshal(body, &said) != nil { // it would be sent again for days
		return notify.Answer{}, nil, nil
	}
	var events []notify.Event
	for _, entry := range said.Entries {
		for _, change := range entry.Changes {
			if change.Value.Metadata.Number == c.Number { // an app may have several
				events = append(events, eventsOf(&change.Value)...)
			}
		}
	}
	return notify.Answer{}, events, nil
}

func eventsOf(v *value) []notify.Event {
	var events []notify.Event
	for _, s := range v.Statuses {
		e := notify.Event{ID: s.ID, From: plus(s.To), At: at(s.Timestamp)}
		switch s.Status {
		case "delivered", "read":
			e.Kind = notify.EventArrived
		case "failed":
			e.Kind, e.Code = notify.EventFailed, notify.FailUnknown
			if len(s.Errors) > 0 {
				e.Code = failure(&httpsend.Answer{Status: http.StatusOK}, s.Errors[0].Code, e.At).Code
			}
		default: // sent, which was known
			continue
		}
		events = append(events, e)
	}
	for _, m := range v.Messages {
		payload, label := cmp.Or(m.Button.Payload, m.Interactive.Reply.ID), cmp.Or(m.Button.Text, m.Interactive.Reply.Title)
		e := notify.Event{Kind: notify.EventReply, ID: m.Context.ID, From: plus(m.From), At: at(m.Timestamp), Text: cmp.Or(m.Text.Body, label)}
		if payload != "" && payload != label { // a button without a token has its own label for one
			e.Kind, e.Token = notify.EventAcknowledged, payload
		}
		e.Text = httpsend.Cut(httpsend.Plain(e.Text), mostReply, httpsend.Runes)
		if strings.TrimSpace(e.Text) != "" || e.Token != "" {
			events = append(events, e)
		}
	}
	return events
}

// plus is a number as people's addresses have it.
func plus(number string) string {
	if number == "" || number[0] == '+' {
		return number
	}
	return "+" + number
}

func at(stamp string) time.Time {
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
