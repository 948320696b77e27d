package warning

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// Hook is a place to which one other system sends signed messages.
type Hook struct {
	ID      string
	Service string // that its messages concern; empty: they say so themselves
	Secret  func() (string, error)
}

const (
	// window is how far a message's time may be from ours, as Standard Webhooks
	// asks for; an id is remembered for twice as long, so that none is taken again
	// while its signature counts.
	window = 5 * time.Minute
	// mostInWindow bounds what is remembered of a hook, and thereby how much it
	// may say.
	mostInWindow = 300
)

// message is what a signed webhook says.
type message struct {
	Type string `json:"type"` // signal.firing, signal.ended
	Data struct {
		Key     string          `json:"key"` // what is meant; one warning each
		Service string          `json:"service"`
		Level   string          `json:"level"`
		Text    json.RawMessage `json:"text"` // a text, or {en, zh}
		URL     string          `json:"url"`
		Partial bool            `json:"partial"`
		Since   time.Time       `json:"since"`
	} `json:"data"`
}

// seen is which messages a hook brought lately.
type seen struct {
	Messages []seenMessage `json:"messages"`
}

type seenMessage struct {
	ID string    `json:"id"` // its hash: what a system calls its messages is its own matter
	At time.Time `json:"at"`
}

// Signed takes a message of a hook whose signature holds. again says that it had
// come before; then nothing is done.
func (in *Inbox) Signed(ctx context.Context, hook Hook, head http.Header, body []byte) (again bool, err error) {
	id, at, err := in.verified(hook, head, body)
	if err != nil {
		return false, err
	}
	one, err := hook.read(body)
	if err != nil {
		return false, err
	}
	by := continuity.Actor{Kind: "token", ID: "hook:" + hook.ID, Via: "webhook"}
	err = in.say(ctx, by, []said{one}, func(ctx context.Context) ([]continuity.Change, error) {
		c, err := in.note(ctx, hook.ID, id, at)
		return []continuity.Change{c}, err
	})
	if errors.Is(err, errAgain) {
		return true, nil
	}
	return false, err
}

var errAgain = errors.New("the message came before")

// note adds a message to those that were brought.
func (in *Inbox) note(ctx context.Context, hook, id string, at time.Time) (continuity.Change, error) {
	c := continuity.Change{Kind: KindHook, ID: hook, Version: continuity.VersionNew, Action: "hook.received"}
	var was seen
	o, err := in.store.Get(ctx, KindHook, hook)
	switch {
	case continuity.CodeOf(err) == continuity.CodeNotFound:
	case err != nil:
		return c, err
	default:
		c.Version = o.Version
		if err := json.Unmarshal(o.Body, &was); err != nil {
			return c, err
		}
	}
	sum := sha256.Sum256([]byte(id))
	short := hex.EncodeToString(sum[:8])
	now := in.now()
	was.Messages = slices.DeleteFunc(was.Messages, func(m seenMessage) bool { return now.Sub(m.At) > 2*window })
	if slices.ContainsFunc(was.Messages, func(m seenMessage) bool { return m.ID == short }) {
		return c, errAgain
	}
	if len(was.Messages) >= mostInWindow {
		return c, continuity.E(continuity.CodeClientLimit, nil, "seconds", int(window.Seconds()))
	}
	was.Messages = append(was.Messages, seenMessage{short, at.UTC()})
	c.Body, err = json.Marshal(was)
	return c, err
}

// verified checks a message's signature and time. What is wrong is not told.
func (in *Inbox) verified(hook Hook, head http.Header, body []byte) (id string, at time.Time, err error) {
	refuse := func(why string) (string, time.Time, error) {
		return "", time.Time{}, continuity.E(continuity.CodeForbidden, errors.New("webhook: "+why), "webhook", true)
	}
	id = head.Get("webhook-id")
	stamp := head.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || id == "" || len(id) > 256 {
		return refuse("no id or time")
	}
	secret, err := hook.Secret()
	if err != nil {
		return refuse(err.Error())
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(secret), "whsec_"))
	if err != nil || len(key) < 16 {
		return refuse("its secret is no base64 of 16 bytes or more")
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(id + "." + stamp + "."))
	_, _ = mac.Write(body)
	want := mac.Sum(nil)
	good := false
	for _, one := range strings.Fields(head.Get("webhook-signature")) { // several while a secret is exchanged
		version, text, _ := strings.Cut(one, ",")
		got, err := base64.StdEncoding.DecodeString(text)
		good = good || version == "v1" && err == nil && hmac.Equal(got, want)
	}
	if !good {
		return refuse("no signature fits")
	}
	at = time.Unix(seconds, 0)
	if away := in.now().Sub(at); away > window || away < -window {
		return refuse("too old, or of the future")
	}
	return id, at, nil
}

func (h *Hook) read(body []byte) (said, error) {
	var m message
	d := json.NewDecoder(strings.NewReader(string(body)))
	if err := d.Decode(&m); err != nil {
		return said{}, invalid("message")
	}
	if _, err := d.Token(); err != io.EOF {
		return said{}, invalid("message")
	}
	s := continuity.Signal{
		Service: h.Service, Source: continuity.FromHook, Rule: h.ID + "." + m.Data.Key, Partial: m.Data.Partial, At: m.Data.Since.UTC(),
	}
	if h.Service == "" {
		s.Service = m.Data.Service
	}
	if m.Data.Key == "" {
		return said{}, invalid("message")
	}
	switch m.Type {
	case "signal.ended":
		return said{s, true}, nil
	case "signal.firing":
	default:
		return said{}, invalid("message-type", "value", cut(m.Type, mostName))
	}
	level, ok := continuity.ParseLevel(m.Data.Level)
	if !ok {
		return said{}, invalid("signal.level", "value", cut(m.Data.Level, mostName))
	}
	s.Level = level
	if len(m.Data.Text) > 0 && json.Unmarshal(m.Data.Text, &s.Text) != nil && json.Unmarshal(m.Data.Text, &s.Text.En) != nil {
		return said{}, invalid("message")
	}
	if web(m.Data.URL) {
		s.Evidence = []continuity.Evidence{{Kind: "link", URL: m.Data.URL}}
	}
	return said{signal: s}, nil
}
