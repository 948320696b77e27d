package control

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlconfig"
	"holdfast/internal/notify"
	"holdfast/internal/problem"
)

const (
	emergencyTries = 3
	emergencyPause = 5 * time.Second
	emergencyTime  = 20 * time.Second // of one attempt
)

// Emergency sends without a node, its state or its API: by the settings alone.
type Emergency struct {
	sender sender
	file   string
	log    *slog.Logger
	now    func() time.Time
	lang   catalogue.Lang
}

// EmergencySent is how the message to one address ended, as it stands in
// emergency.log, too.
type EmergencySent struct {
	At       time.Time               `json:"at"`
	By       string                  `json:"by"`
	Channel  string                  `json:"channel"`
	To       string                  `json:"to,omitempty"`
	Text     string                  `json:"text"`
	Sent     bool                    `json:"sent"`
	Attempts int                     `json:"attempts"`
	Maybe    bool                    `json:"maybe,omitempty"`  // it is not known whether it was sent
	Reason   *continuity.CheckReason `json:"reason,omitempty"` // why not
	Provider string                  `json:"provider_id,omitempty"`
}

// OpenEmergency opens one channel of the settings.
func OpenEmergency(c controlconfig.Control, channel string, log *slog.Logger) (*Emergency, error) {
	var known []string
	for _, set := range c.Channels {
		if set.ID == channel {
			s, err := openSender(&c, set, log)
			return &Emergency{s, filepath.Join(c.Data, "emergency.log"), log, time.Now, catalogue.Lang(c.Language)}, err
		}
		known = append(known, set.ID)
	}
	return nil, continuity.E(continuity.CodeNotFound, nil, problem.DetailID, "channel.none", "id", channel, "known", strings.Join(known, ", "))
}

// Send sends a text to each address, or to the channel's room where none is named,
// and writes down how that ended. The error is one of writing it down.
func (e *Emergency) Send(ctx context.Context, by string, to []string, subject, text string) ([]EmergencySent, error) {
	if len(to) == 0 {
		if e.sender.kind.Address != "" {
			return nil, continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "channel.no-address", "id", e.sender.set.ID, "address", e.sender.kind.Address)
		}
		to = []string{""}
	}
	all := make([]EmergencySent, 0, len(to))
	var errs []error
	for _, address := range to {
		sent := e.send(ctx, by, address, subject, text)
		all = append(all, sent)
		errs = append(errs, e.write(sent))
	}
	return all, errors.Join(errs...)
}

// send tries until it is taken, or may have been: nobody is there who would ask
// again, so what may work later is tried a few times at once.
func (e *Emergency) send(ctx context.Context, by, to, subject, text string) EmergencySent {
	out := EmergencySent{At: e.now().UTC(), By: by, Channel: e.sender.set.ID, To: to, Text: text}
	m := &notify.Message{
		Key: "emergency-" + strings.ToLower(rand.Text()), Kind: e.sender.kind.Address, To: to, Language: string(e.lang), Urgent: true, Subject: subject, Text: text,
	}
	for {
		out.Attempts++
		sending, cancel := context.WithTimeout(ctx, emergencyTime)
		sent, err := e.sender.channel.Send(sending, m)
		cancel()
		if err == nil {
			out.Sent, out.Provider, out.Reason, out.Maybe = true, sent.ID, nil, false
			return out
		}
		f := notify.FailureOf(err)
		reason := notify.Reason(f)
		out.Reason, out.Maybe = &reason, out.Maybe || f.Maybe
		if !f.Retry || out.Maybe && !e.sender.kind.Keys || out.Attempts == emergencyTries || ctx.Err() != nil {
			return out
		}
		pause(ctx, max(emergencyPause, min(f.After, time.Minute)))
	}
}

// write appends a line that is on the disk when it returns.
func (e *Emergency) write(sent EmergencySent) error {
	line, err := json.Marshal(sent)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(e.file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(e.file, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Sync(), f.Close())
}

// How long the node's state can't be written before somebody is told, and how
// often they are.
const (
	mutedAfter = 2 * time.Minute
	mutedAgain = time.Hour
	mutedRetry = time.Minute // where nobody could be told
)

// muted notices that the node's state can't be written.
type muted struct {
	after time.Duration
	said  time.Time
}

// look reports whether somebody is to be told now.
func (m *muted) look(wrote, now time.Time) bool {
	if now.Sub(wrote) < m.after || !m.said.IsZero() && now.Sub(m.said) < mutedAgain {
		return false
	}
	m.said = now
	return true
}

// missed notes that nobody was told: it is tried again soon.
func (m *muted) missed(now time.Time) { m.said = now.Add(mutedRetry - mutedAgain) }

// openEmergency tells those whom the settings name when the node's state can't be
// written: then it can't tell anybody else.
func (n *Node) openEmergency(context.Context) error {
	set := n.o.Config.Emergency
	if set == nil {
		return nil
	}
	way, err := OpenEmergency(n.o.Config, set.Channel, n.log)
	if err != nil {
		return err
	}
	n.leader.wrote.Store(time.Now().UnixNano())
	m := muted{after: max(mutedAfter, n.o.Config.Lease)}
	n.background(func(ctx context.Context) {
		for ctx.Err() == nil {
			pause(ctx, 10*time.Second)
			if wrote := time.Unix(0, n.leader.wrote.Load()); ctx.Err() == nil && m.look(wrote, time.Now()) && !n.sayMuted(ctx, way, set.To, wrote) {
				m.missed(time.Now())
			}
		}
	})
	return nil
}

// sayMuted reports whether somebody was told, or may have been.
func (n *Node) sayMuted(ctx context.Context, way *Emergency, to []string, since time.Time) (told bool) {
	args := catalogue.Args{"node": n.name, "since": since.Format("2006-01-02 15:04 (UTC-07:00)")}
	all, err := way.Send(ctx, "control:"+n.name, to, catalogue.Text(way.lang, "channel.muted-subject", args), catalogue.Text(way.lang, "channel.muted", args))
	for _, s := range all {
		told = told || s.Sent || s.Maybe
		n.log.Error("the state can't be written, and the emergency channel was used", "channel", s.Channel, "sent", s.Sent)
	}
	if err != nil {
		n.log.Error("the emergency log can't be written", "error", err)
	}
	return told
}
