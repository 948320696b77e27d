package notify

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// States of a test of a channel.
const (
	TrialRunning = "running"
	TrialPassed  = "passed"
	TrialFailed  = "failed"
)

// States of a channel.
const (
	ChannelUp      = "up"
	ChannelFailing = "failing"
	ChannelUnknown = "unknown"
)

const (
	trialSend = 30 * time.Second
	// A message is looked for where it was sent to so often, and so long.
	readEvery  = 2 * time.Second
	readWithin = 30 * time.Second
)

// Tried is what is known of a channel after an attempt; f is nil where its provider
// took the message. What is wrong with a message says nothing of its channel.
func Tried(s continuity.ChannelState, f *Failure, at time.Time) continuity.ChannelState {
	state, code := ChannelUp, ""
	if f != nil {
		switch f.Code {
		case FailAddress, FailTemplate, FailContent, FailRate:
			return s
		}
		state, code = ChannelFailing, f.Code
	} else {
		s.LastSent = at
	}
	if s.State != state || s.Since.IsZero() {
		s.State, s.Since = state, at
	}
	if code != s.Failure {
		s.Failure, s.Said, s.Status = code, "", 0
	}
	if f != nil && (f.Said != "" || f.Status != 0) { // who knows the code only knows no better
		s.Said, s.Status = f.Said, f.Status
	}
	return s
}

// Test is a test of a channel that somebody wants.
type Test struct {
	Channel  string
	To       string // the address; empty: the channel's room
	Name     string // of the person
	Person   string // whose address it is
	Language catalogue.Lang
	Plan     string // SERVICE/CHANNEL that it is a test of
	Template *Template
	By       continuity.Actor
}

// Tester tests channels, by hand and on schedule.
type Tester struct {
	Store   AckStore
	Channel func(id string) (Kind, Channel, bool)
	Links   string // how links begin that people follow; empty: none leads here
	Node    string
	Now     func() time.Time
	Log     *slog.Logger
}

// Test sends a message over a channel and finds out what can be known of it. That
// the channel does not work is no error.
func (t *Tester) Test(ctx context.Context, want Test) (continuity.Trial, []Advice, error) {
	kind, ch, ok := t.Channel(want.Channel)
	if !ok {
		return continuity.Trial{}, nil, continuity.E(continuity.CodeNotFound, nil, "kind", continuity.KindChannel, "id", want.Channel)
	}
	trial := continuity.Trial{ID: random(codeBytes), At: t.Now().UTC(), By: want.By, Plan: want.Plan, State: TrialRunning}
	if kind.Address != "" && want.To == "" {
		trial.State, trial.Reason = TrialFailed, continuity.CheckReason{Code: "channel.nobody", Args: map[string]any{"address": kind.Address}}
		err := t.note(ctx, want.By, want.Channel, kind.Name, "channel.tested", nil, func(s *continuity.ChannelState) bool { s.Test = &trial; return true })
		return trial, nil, err
	}
	args := catalogue.Args{"channel": want.Channel, "node": t.Node}
	m := &Message{
		Key: "test-" + trial.ID, Kind: kind.Address, To: want.To, Name: want.Name, Language: string(want.Language), Template: want.Template,
		Subject: catalogue.Text(want.Language, "channel.test-subject", args), Text: catalogue.Text(want.Language, "channel.test-text", args),
	}
	var also []continuity.Change
	if t.Links != "" {
		token, change := Link{Trial: want.Channel + "/" + trial.ID, Person: want.Person}.Token()
		m.Link, also = t.Links+"/a/"+token, append(also, change)
	}
	err := t.note(ctx, want.By, want.Channel, kind.Name, "channel.test-began", also, func(s *continuity.ChannelState) bool { s.Test = &trial; return true })
	if err != nil {
		return trial, nil, err
	}
	failure := t.send(ctx, ch, m, &trial)
	if reader, reads := ch.(Reader); reads && failure == nil {
		t.read(ctx, reader, m.Key, &trial)
	}
	// Whoever asked may have gone: what came of it is noted all the same.
	err = t.note(context.WithoutCancel(ctx), want.By, want.Channel, kind.Name, "channel.tested", nil, func(s *continuity.ChannelState) bool {
		*s = Tried(*s, failure, t.Now().UTC())
		if s.Test != nil && s.Test.ID == trial.ID {
			trial.Read = trial.Read || s.Test.Read // by its link, meanwhile
			s.Test = &trial
		}
		return true
	})
	return trial, t.advise(ctx, ch, want.Channel), err
}

// send makes the one attempt of a test.
func (t *Tester) send(ctx context.Context, ch Channel, m *Message, trial *continuity.Trial) *Failure {
	sending, cancel := context.WithTimeout(ctx, trialSend)
	defer cancel()
	sent, err := ch.Send(sending, m)
	trial.Took, trial.State = t.Now().Sub(trial.At).Round(time.Millisecond), TrialPassed
	if err == nil {
		if sent.Arrived {
			trial.Reason.Code = "channel.arrived"
		}
		return nil
	}
	f := FailureOf(err)
	trial.State, trial.Reason = TrialFailed, Reason(f)
	return f
}

// Reason is why something was not sent, for people.
func Reason(f *Failure) continuity.CheckReason {
	r := continuity.CheckReason{Code: FailureText(f.Code), Args: map[string]any{}}
	if f.Said != "" {
		r.Args["said"] = f.Said
	}
	if f.Status != 0 {
		r.Args["status"] = f.Status
	}
	return r
}

// read looks for a message where it was sent to. Where that can't be looked at, it
// is not known whether it is there.
func (t *Tester) read(ctx context.Context, reader Reader, key string, trial *continuity.Trial) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	tick := time.NewTicker(readEvery)
	defer tick.Stop()
	looked := false
	for {
		there, err := reader.Read(ctx, key)
		looked = looked || err == nil
		if there && err == nil {
			trial.Read = true
			return
		}
		select {
		case <-tick.C:
			continue
		case <-ctx.Done():
		}
		if looked {
			trial.State, trial.Reason = TrialFailed, continuity.CheckReason{Code: "channel.unread"}
		}
		return
	}
}

func (t *Tester) advise(ctx context.Context, ch Channel, id string) []Advice {
	adviser, ok := ch.(Adviser)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, trialSend)
	defer cancel()
	advice, err := adviser.Advise(ctx)
	if err != nil {
		t.Log.Warn("what a channel needs can't be looked at", "channel", id, "error", err)
	}
	return advice
}

// lastSentEvery is how exactly it is kept when something was sent last.
const lastSentEvery = time.Minute

// Note takes over how an attempt ended that somebody else made.
func (t *Tester) Note(ctx context.Context, by continuity.Actor, id string, f *Failure, at time.Time) error {
	kind, _, ok := t.Channel(id)
	if !ok {
		return nil
	}
	return t.note(ctx, by, id, kind.Name, "channel.state", nil, func(s *continuity.ChannelState) bool {
		before := *s
		*s = Tried(*s, f, at)
		return s.State != before.State || s.Failure != before.Failure || s.Said != before.Said || s.Status != before.Status || s.LastSent.Sub(before.LastSent) >= lastSentEvery
	})
}

// note changes what is known of a channel, where change says that it did.
func (t *Tester) note(ctx context.Context, by continuity.Actor, id, kind, action string, also []continuity.Change, change func(*continuity.ChannelState) bool) error {
	var last error
	for range ackTries {
		s := continuity.ChannelState{ID: id, Kind: kind, State: ChannelUnknown}
		o, err := t.Store.Get(ctx, continuity.KindChannel, id)
		version := o.Version
		switch {
		case continuity.CodeOf(err) == continuity.CodeNotFound:
			version = continuity.VersionNew
		case err != nil:
			return err
		default:
			if err := json.Unmarshal(o.Body, &s); err != nil {
				return err
			}
		}
		s.Kind = kind
		if !change(&s) {
			return nil
		}
		body, err := json.Marshal(s)
		if err != nil {
			return err
		}
		changes := append([]continuity.Change{{Kind: continuity.KindChannel, ID: id, Version: version, Body: body, Action: action}}, also...)
		_, last = t.Store.Commit(ctx, continuity.Batch{Actor: by, Changes: changes})
		if continuity.CodeOf(last) != continuity.CodeVersion {
			return last
		}
	}
	return last
}
