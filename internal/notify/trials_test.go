package notify_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/notify"
)

// memory is a store for tests whose time is not real.
type memory struct {
	mu  sync.Mutex
	seq int64
	all map[string]continuity.Object
}

func (m *memory) Get(_ context.Context, kind, id string) (continuity.Object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.all[kind+"/"+id]
	if !ok {
		return o, continuity.E(continuity.CodeNotFound, nil)
	}
	return o, nil
}

func (m *memory) List(context.Context, continuity.Query) ([]continuity.Object, string, error) {
	return nil, "", errors.ErrUnsupported
}

func (m *memory) EventsSince(context.Context, int64, int) ([]continuity.AuditEvent, error) {
	return nil, nil
}

func (m *memory) LastEvent(context.Context) (seq int64, hash [32]byte, err error) {
	return 0, hash, nil
}

func (m *memory) Commit(_ context.Context, b continuity.Batch) (out []continuity.Object, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range b.Changes {
		if c.Version != m.all[c.Kind+"/"+c.ID].Version {
			return nil, continuity.E(continuity.CodeVersion, nil)
		}
		m.seq++
		o := continuity.Object{Kind: c.Kind, ID: c.ID, Version: m.seq, Body: c.Body}
		m.all[c.Kind+"/"+c.ID] = o
		out = append(out, o)
	}
	return out, nil
}

// lane is a channel that does as the test says.
type lane struct {
	fails *notify.Failure
	sent  *notify.Message
}

func (l *lane) Send(_ context.Context, m *notify.Message) (notify.Sent, error) {
	time.Sleep(3 * time.Second) // of the bubble's clock
	l.sent = m
	if l.fails != nil {
		return notify.Sent{}, l.fails
	}
	return notify.Sent{}, nil
}

// readable is one that can look whether a message arrived.
type readable struct {
	lane

	arrives time.Duration // after so long; 0: never
	blind   bool
	began   time.Time
}

func (r *readable) Read(_ context.Context, key string) (bool, error) {
	if r.blind {
		return false, errors.New("no mailbox")
	}
	return r.arrives > 0 && time.Since(r.began) >= r.arrives && key == r.sent.Key, nil
}

func (r *readable) Advise(context.Context) ([]notify.Advice, error) {
	return []notify.Advice{{Level: "warning", Code: "channel.unread"}}, nil
}

func TestATestFindsWhatCanBeKnown(t *testing.T) {
	for name, c := range map[string]struct {
		channel notify.Channel
		to      string
		state   string
		reason  string
		read    bool
		health  string
		advice  int
	}{
		"taken":                {&lane{}, "a@b", notify.TrialPassed, "", false, notify.ChannelUp, 0},
		"read":                 {&readable{arrives: 9 * time.Second}, "a@b", notify.TrialPassed, "", true, notify.ChannelUp, 1},
		"taken and not there":  {&readable{}, "a@b", notify.TrialFailed, "channel.unread", false, notify.ChannelUp, 1},
		"nobody can look":      {&readable{blind: true}, "a@b", notify.TrialPassed, "", false, notify.ChannelUp, 1},
		"refused":              {&lane{fails: &notify.Failure{Code: notify.FailRefused}}, "a@b", notify.TrialFailed, "notify.failure.refused", false, notify.ChannelFailing, 0},
		"no such address":      {&lane{fails: &notify.Failure{Code: notify.FailAddress}}, "a@b", notify.TrialFailed, "notify.failure.address", false, notify.ChannelUnknown, 0},
		"nobody to send it to": {&lane{}, "", notify.TrialFailed, "channel.nobody", false, notify.ChannelUnknown, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if r, ok := c.channel.(*readable); ok {
					r.began = time.Now()
				}
				m := &memory{all: map[string]continuity.Object{}}
				tester := &notify.Tester{
					Store: m, Links: "https://ack.example", Node: "control-1", Now: time.Now, Log: slog.New(slog.DiscardHandler),
					Channel: func(string) (notify.Kind, notify.Channel, bool) {
						return notify.Kind{Name: "mail", Address: "mail"}, c.channel, true
					},
				}
				trial, advice, err := tester.Test(t.Context(), notify.Test{Channel: "company-mail", To: c.to, Language: catalogue.Zh, By: engine})
				if err != nil || trial.State != c.state || trial.Reason.Code != c.reason || trial.Read != c.read || len(advice) != c.advice {
					t.Fatalf("%+v, %v, %v", trial, advice, err)
				}
				if c.to != "" && trial.Took != 3*time.Second {
					t.Error(trial.Took)
				}
				d := &desk{t: t, Acks: &notify.Acks{Store: m, Now: time.Now}}
				var s continuity.ChannelState
				readState(t, m, &s)
				if s.State != c.health || s.Test == nil || s.Test.ID != trial.ID || s.Kind != "mail" {
					t.Errorf("%+v", s)
				}
				if c.to == "" {
					return
				}
				sent := c.channel.(interface{ message() *notify.Message }).message()
				token, ok := strings.CutPrefix(sent.Link, "https://ack.example/a/")
				if !ok || !strings.Contains(sent.Text, "company-mail") {
					t.Fatalf("%+v", sent)
				}
				shown, err := d.Acknowledge(t.Context(), token, "")
				if readState(t, m, &s); err != nil || shown.Trial != "company-mail" || !s.Test.Read {
					t.Errorf("%+v, %v", shown, err)
				}
				time.Sleep(25 * time.Hour)
				d.none(token)
			})
		})
	}
}

func (l *lane) message() *notify.Message { return l.sent }

func readState(t *testing.T, m *memory, s *continuity.ChannelState) {
	t.Helper()
	(&desk{t: t, kept: m}).read(continuity.KindChannel, "company-mail", s)
}
