package notices

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notices/extract"
)

// The kinds of objects that are kept of notices.
const (
	Kind       = "notice"
	KindSource = "notice-source" // written when a source fails, and when it is back
)

// Types of proposals.
const (
	TypeWindow  = "window"
	TypeWarning = "warning"
	TypeWord    = "word" // a word on another proposal: it is over, or cancelled
)

// States of a proposal.
const (
	Proposed  = "proposed"
	Confirmed = "confirmed" // a person said so: it holds
	Dismissed = "dismissed" // a person said that it is nothing
	Over      = "over"
)

// Why a person is asked; empty: nobody is.
const (
	AsksNew       = "new"
	AsksChanged   = "changed"   // the provider changed what had been answered
	AsksOver      = "over"      // the provider says that it is over
	AsksCancelled = "cancelled" // the provider says that it won't be
)

// Actions of events.
const (
	ActionProposed  = Kind + ".proposed"
	ActionChanged   = Kind + ".changed"
	ActionOver      = Kind + ".over"
	ActionConfirmed = Kind + ".confirmed"
	ActionDismissed = Kind + ".dismissed"
	ActionPasted    = Kind + ".pasted"
	ActionFailing   = KindSource + ".failing"
	ActionRead      = KindSource + ".read"
)

// Proposal is what was made of an announcement, and what people said of it.
type Proposal struct {
	ID       string          `json:"id"`
	Service  string          `json:"service"`
	Source   string          `json:"source"`
	Provider string          `json:"provider,omitempty"`
	Key      string          `json:"key"`
	Hash     string          `json:"hash"` // of what the provider wrote
	Type     string          `json:"type"`
	State    string          `json:"state"`
	Asks     string          `json:"asks,omitempty"`
	About    string          `json:"about,omitempty"` // of a word: the proposal that is meant
	Title    string          `json:"title"`
	Text     string          `json:"text"`
	URL      string          `json:"url,omitempty"`
	Written  time.Time       `json:"written,omitzero"`
	Found    time.Time       `json:"found"`
	Changed  time.Time       `json:"changed,omitzero"`
	Reading  extract.Reading `json:"reading"`
	Agreed   *Agreed         `json:"agreed,omitempty"`   // what holds
	Rejected *Verdict        `json:"rejected,omitempty"` // the last thing that was dismissed
}

// Agreed is what a person confirmed, mended by them where it had to be.
type Agreed struct {
	Verdict

	Title      string           `json:"title"`
	Kind       extract.Kind     `json:"kind"`
	Start      time.Time        `json:"start,omitzero"`
	End        time.Time        `json:"end,omitzero"`
	Components []string         `json:"components,omitempty"`
	Level      continuity.Level `json:"level,omitempty"`
}

// Verdict is a person's word.
type Verdict struct {
	By   continuity.Actor `json:"by"`
	At   time.Time        `json:"at"`
	Note string           `json:"note,omitempty"`
}

// Past reports whether nobody needs to be asked any more: the window is over and
// nobody had confirmed it.
func (p *Proposal) Past(now time.Time) bool {
	return p.State == Proposed && !p.Reading.End.IsZero() && p.Reading.End.Before(now) && p.Reading.Kind != extract.Outage
}

// Open reports whether a person is asked.
func (p *Proposal) Open(now time.Time) bool { return p.Asks != "" && !p.Past(now) }

// TypeOf is what a kind of news proposes.
func TypeOf(kind extract.Kind) string {
	switch kind {
	case extract.Maintenance, extract.Emergency:
		return TypeWindow
	case extract.Resolved, extract.Cancelled:
		return TypeWord
	}
	return TypeWarning
}

// idOf names the proposal of an announcement.
func idOf(service, source, key string) string {
	return "n-" + sum(service, source, key)[:16]
}

func sum(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		b, err := json.Marshal(p)
		if err != nil { // cannot happen: it is a string
			b = []byte(p)
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// hash is what the provider says, times included.
func (i *Item) hash() string {
	said := i.Stated
	return sum(i.Title, i.Text, string(said.Kind), string(said.Level), stamp(said.Start), stamp(said.End), strings.Join(said.Affected, "\n"))[:24]
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// read makes a reading of an item: what its source states, and for the rest what
// its text says, and for the rest what the plan says.
func read(s *Spec, item *Item, now time.Time) extract.Reading {
	r := extract.Read(extract.Text{
		Title: item.Title, Body: item.Text, Written: item.Written, Affected: strings.Join(item.Stated.Affected, "\n"),
	}, extract.Setting{Zone: s.Zone, Now: now, Names: s.Names})
	if item.Stated.Kind != "" {
		emergency := item.Stated.Kind == extract.Maintenance && r.Kind == extract.Emergency
		if r.Kind = item.Stated.Kind; emergency {
			r.Kind = extract.Emergency
		}
	}
	if !item.Stated.Start.IsZero() { // and not what a text says beside it
		r.Start, r.End, r.Candidates, r.Zone, r.Doubts = item.Stated.Start, item.Stated.End, nil, "UTC", nil
	}
	if item.Stated.Level != "" {
		r.Level = item.Stated.Level
	}
	over := r.Kind == extract.Resolved || r.Kind == extract.Cancelled
	if r.Level == "" && !over {
		r.Level = s.Level
	}
	if len(r.Components) == 0 && !over {
		r.Components = slices.Clone(s.About)
	}
	for _, d := range item.Doubts {
		r.Doubt(d)
	}
	r.Settle()
	return r
}

// differs reports whether two readings mean something else to a person.
func differs(a, b *extract.Reading) bool {
	return a.Kind != b.Kind || a.Level != b.Level || !a.Start.Equal(b.Start) || !a.End.Equal(b.End) || !slices.Equal(a.Components, b.Components) || len(a.Candidates) != len(b.Candidates)
}
