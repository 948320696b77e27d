package notices

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notices/extract"
	"holdfast/internal/outgoing/plain"
)

// Pasted is the source of what people paste.
const Pasted = "pasted"

const (
	maxNote   = 1000 // bytes
	maxPasted = 64 << 10
	maxWindow = 31 * 24 * time.Hour
)

// Kept is a proposal with its version.
type Kept struct {
	Proposal

	Version int64
}

// Query selects proposals.
type Query struct {
	Service string
	All     bool // those too of which nobody is asked
	Cursor  string
	Limit   int
}

// List returns a page of proposals by their ids; it may have fewer than asked
// for.
func (d *Desk) List(ctx context.Context, q Query) (page []Kept, next string, err error) {
	page = []Kept{}
	now := d.now()
	for next = q.Cursor; ; {
		objects, after, err := d.o.Store.List(ctx, continuity.Query{Kind: Kind, Service: q.Service, Cursor: next, Limit: q.Limit})
		if err != nil {
			return nil, "", err
		}
		for _, o := range objects {
			k := Kept{Version: o.Version}
			if err := json.Unmarshal(o.Body, &k.Proposal); err != nil {
				return nil, "", err
			}
			if q.All || k.Open(now) || k.State == Confirmed && k.Type != TypeWord && !k.ended(now) {
				page = append(page, k)
			}
		}
		if next = after; next == "" || len(page) > 0 {
			return page, next, nil
		}
	}
}

// ended reports whether a window that holds is over.
func (p *Proposal) ended(now time.Time) bool {
	return p.Type == TypeWindow && p.Agreed != nil && !p.Agreed.End.IsZero() && p.Agreed.End.Before(now)
}

// Get returns one proposal.
func (d *Desk) Get(ctx context.Context, id string) (Kept, error) {
	p, version, err := d.get(ctx, id)
	if err != nil {
		return Kept{}, err
	}
	if p == nil {
		return Kept{}, continuity.E(continuity.CodeNotFound, nil, "kind", Kind, "id", id)
	}
	return Kept{*p, version}, nil
}

// Edit is what a person mends when they confirm; what is nil stays as it was
// read.
type Edit struct {
	Title      *string
	Kind       *extract.Kind
	Start, End *time.Time
	Components *[]string
	Level      *continuity.Level
	Window     int    // the candidate that is meant, from 1; 0: none
	About      string // of a word: the proposal that is meant
	Note       string
}

// Confirm makes what a proposal says hold. version is the one that the person
// saw, or continuity.VersionAny.
func (d *Desk) Confirm(ctx context.Context, by continuity.Actor, id string, version int64, e Edit) (Kept, error) {
	return d.act(ctx, by, id, version, ActionConfirmed, e.Note, func(p *Proposal, v Verdict) ([]continuity.Change, error) {
		switch {
		case p.Asks == "":
			return nil, wrongState(p)
		case p.Type == TypeWord:
			return d.confirmWord(ctx, p, v, e.About)
		case p.Asks == AsksOver || p.Asks == AsksCancelled:
			p.State, p.Asks = Over, ""
			return nil, nil
		}
		agreed, err := d.agree(p, v, e)
		if err != nil {
			return nil, err
		}
		p.Type, p.State, p.Asks, p.Agreed, p.Rejected = TypeOf(agreed.Kind), Confirmed, "", agreed, nil
		return nil, nil
	})
}

// confirmWord ends the proposal that a word is about.
func (d *Desk) confirmWord(ctx context.Context, p *Proposal, v Verdict, about string) ([]continuity.Change, error) {
	if about == "" {
		about = p.About
	}
	if about == "" {
		return nil, invalid("notice.invalid.about")
	}
	meant, version, err := d.get(ctx, about)
	if err != nil {
		return nil, err
	}
	if meant == nil || meant.Service != p.Service || meant.Type == TypeWord {
		return nil, continuity.E(continuity.CodeNotFound, nil, "kind", Kind, "id", about)
	}
	meant.State, meant.Asks, meant.Changed = Over, "", v.At
	c, err := change(meant, version, ActionOver, v.Note)
	p.State, p.Asks, p.About = Confirmed, "", about
	return []continuity.Change{c}, err
}

// agree puts together what was read and what the person mends.
func (d *Desk) agree(p *Proposal, v Verdict, e Edit) (*Agreed, error) {
	r := &p.Reading
	a := &Agreed{Verdict: v, Title: p.Title, Kind: r.Kind, Start: r.Start, End: r.End, Components: r.Components, Level: r.Level}
	if e.Window != 0 {
		if e.Window < 1 || e.Window > len(r.Candidates) {
			return nil, invalid("notice.invalid.window", "count", len(r.Candidates))
		}
		a.Start, a.End = r.Candidates[e.Window-1].Start, r.Candidates[e.Window-1].End
	}
	set(&a.Title, e.Title)
	set(&a.Kind, e.Kind)
	set(&a.Start, e.Start)
	set(&a.End, e.End)
	set(&a.Level, e.Level)
	set(&a.Components, e.Components)
	a.Title = plain.Line(a.Title, 300)
	if e.Kind != nil && !slices.Contains([]extract.Kind{extract.Maintenance, extract.Emergency, extract.Outage}, a.Kind) {
		return nil, invalid("notice.invalid.kind", "value", plain.Cut(string(a.Kind), 40))
	}
	if e.Level != nil {
		if _, ok := continuity.ParseLevel(string(a.Level)); !ok {
			return nil, invalid("notice.invalid.level", "value", plain.Cut(string(a.Level), 40))
		}
	}
	if e.Components != nil {
		if err := d.known(p.Service, a.Components); err != nil {
			return nil, err
		}
	}
	return a, a.check()
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// check refuses what is not said whole.
func (a *Agreed) check() error {
	var missing []string
	miss := func(lacks bool, field string) {
		if lacks {
			missing = append(missing, field)
		}
	}
	miss(a.Title == "", "title")
	miss(a.Kind == "", extract.FieldKind)
	if window := TypeOf(a.Kind) == TypeWindow; window {
		miss(a.Start.IsZero(), extract.FieldStart)
		miss(a.End.IsZero(), extract.FieldEnd)
	} else {
		miss(a.Level == "", extract.FieldLevel)
	}
	if len(missing) > 0 {
		return invalid("notice.invalid.missing", "fields", strings.Join(missing, ", "))
	}
	if !a.Start.IsZero() && !a.End.IsZero() && (!a.End.After(a.Start) || a.End.Sub(a.Start) > maxWindow) {
		return invalid("notice.invalid.times", "max", "31d")
	}
	a.Start, a.End = a.Start.UTC(), a.End.UTC()
	return nil
}

// known refuses components that the plan has not.
func (d *Desk) known(service string, components []string) error {
	d.mu.Lock()
	names := d.services[service].Names
	d.mu.Unlock()
	for _, c := range components {
		if !slices.ContainsFunc(names, func(n extract.Name) bool { return n.ID == c }) {
			return invalid("notice.invalid.component", "value", plain.Cut(c, 60))
		}
	}
	return nil
}

// Dismiss says that what a proposal asks for is not so, and why. What was
// confirmed before goes on holding.
func (d *Desk) Dismiss(ctx context.Context, by continuity.Actor, id string, version int64, why string) (Kept, error) {
	if strings.TrimSpace(why) == "" {
		return Kept{}, invalid("notice.invalid.why")
	}
	return d.act(ctx, by, id, version, ActionDismissed, why, func(p *Proposal, v Verdict) ([]continuity.Change, error) {
		if p.Asks == "" && p.State != Confirmed {
			return nil, wrongState(p)
		}
		if p.State != Confirmed || p.Asks == "" {
			p.State = Dismissed // and nothing holds any more
		}
		p.Asks, p.Rejected = "", &v
		return nil, nil
	})
}

func wrongState(p *Proposal) error {
	return continuity.E(continuity.CodeState, nil, "detail_id", "notice.settled", "id", p.ID, "state", p.State)
}

// act changes one proposal by a person's word; a warning follows from it by a
// timer, so that it comes even where this node ends now.
func (d *Desk) act(ctx context.Context, by continuity.Actor, id string, version int64, action, note string, do func(*Proposal, Verdict) ([]continuity.Change, error)) (Kept, error) {
	k, err := d.Get(ctx, id)
	if err != nil {
		return k, err
	}
	if version != continuity.VersionAny && version != k.Version {
		return k, continuity.E(continuity.CodeVersion, nil, "kind", Kind, "id", id, "version", k.Version)
	}
	note = plain.Line(note, maxNote)
	before := k.Proposal
	changes, err := do(&k.Proposal, Verdict{By: by, At: d.now(), Note: note})
	if err != nil {
		return k, err
	}
	c, err := change(&k.Proposal, k.Version, action, note)
	if err != nil {
		return k, err
	}
	b := continuity.Batch{Actor: by, Changes: append([]continuity.Change{c}, changes...)}
	if k.Type == TypeWarning || before.Type == TypeWarning {
		b.Schedule = append(b.Schedule, d.raise(id))
	}
	for _, other := range changes {
		b.Schedule = append(b.Schedule, d.raise(other.ID))
	}
	objects, err := d.o.Store.Commit(ctx, b)
	if err != nil {
		return k, err
	}
	k.Version = objects[0].Version
	return k, nil
}

func (d *Desk) raise(id string) continuity.Timer {
	body, err := json.Marshal(id)
	if err != nil { // cannot happen: it is a string
		body = nil
	}
	return continuity.Timer{ID: "notices.raise/" + id, Kind: TimerRaise, Due: d.now(), Body: body}
}

// Paste makes a proposal of a text that a person has before them.
func (d *Desk) Paste(ctx context.Context, by continuity.Actor, service, title, text string, written time.Time) (Kept, error) {
	s, err := d.pasting(service)
	if err != nil {
		return Kept{}, err
	}
	item, err := pastedItem(title, text, written)
	if err != nil {
		return Kept{}, err
	}
	now, hash := d.now(), item.hash()
	p, version, err := d.get(ctx, idOf(service, Pasted, item.Key))
	if err != nil {
		return Kept{}, err
	}
	if p != nil { // the same text again
		return Kept{*p, version}, nil
	}
	r := read(s, item, now)
	p = &Proposal{
		ID: idOf(service, Pasted, item.Key), Key: item.Key, Hash: hash, Service: service, Source: Pasted, Provider: s.Provider, Type: TypeOf(r.Kind), State: Proposed,
		Asks: AsksNew, Title: item.Title, Text: item.Text, Written: written.UTC(), Found: now, Reading: r,
	}
	c, err := change(p, version, ActionPasted, "")
	if err != nil {
		return Kept{}, err
	}
	objects, err := d.o.Store.Commit(ctx, continuity.Batch{Actor: by, Changes: []continuity.Change{c}})
	if err != nil {
		return Kept{}, err
	}
	return Kept{*p, objects[0].Version}, nil
}

func pastedItem(title, text string, written time.Time) (*Item, error) {
	if len(title)+len(text) > maxPasted {
		return nil, invalid("notice.invalid.long", "max", maxPasted>>10)
	}
	item := &Item{Title: plain.FromHTML(title), Text: plain.FromHTML(text), Written: written}
	item.tidy()
	if item.Title == "" {
		return nil, invalid("notice.invalid.empty")
	}
	item.Key = "text:" + sum(item.Title, item.Text)[:20]
	return item, nil
}

// pasting is the source that a person is.
func (d *Desk) pasting(service string) (*Spec, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.services[service]
	if !ok {
		return nil, continuity.E(continuity.CodeNotFound, nil, "kind", "service", "id", plain.Cut(service, 60))
	}
	return &Spec{Service: service, ID: Pasted, Provider: s.Provider, Zone: s.Zone, Names: s.Names}, nil
}

// Understand says what would be proposed of an item, and keeps nothing.
func Understand(s Service, item Item, now time.Time) Proposal {
	item.tidy()
	r := read(&Spec{Service: s.ID, Zone: s.Zone, Names: s.Names}, &item, now)
	return Proposal{
		Service: s.ID, Source: Pasted, Key: item.Key, Type: TypeOf(r.Kind), State: Proposed, Asks: AsksNew,
		Title: item.Title, Text: item.Text, URL: item.URL, Written: item.Written, Found: now, Reading: r,
	}
}

// States of a source.
const (
	SourceRead    = "read"
	SourceFailing = "failing"
	SourceUnknown = "unknown" // it was never read, or not for long
)

// SourceState is how a source fares. Whoever sees no news looks here whether any
// could have come.
type SourceState struct {
	Service  string    `json:"service"`
	Source   string    `json:"source"`
	Kind     string    `json:"kind"`
	Provider string    `json:"provider,omitempty"`
	State    string    `json:"state"`
	Read     time.Time `json:"read,omitzero"` // the last time that it could be
	Tried    time.Time `json:"tried,omitzero"`
	Next     time.Time `json:"next,omitzero"`
	Why      *Why      `json:"why,omitempty"`
	Left     int       `json:"left,omitempty"` // announcements of the last look that could not be read
}

// Sources says how the sources of a service fare, or of all.
func (d *Desk) Sources(ctx context.Context, service string) ([]SourceState, error) {
	out := []SourceState{}
	now := d.now()
	for _, s := range d.specs() {
		if service != "" && s.Service != service {
			continue
		}
		st := SourceState{Service: s.Service, Source: s.ID, Kind: s.Kind, Provider: s.Provider, State: SourceUnknown}
		t, err := d.o.Store.Timer(ctx, timerOf(s.Ref()))
		if err != nil && continuity.CodeOf(err) != continuity.CodeNotFound {
			return nil, err
		}
		var p progress
		if err == nil && json.Unmarshal(t.Body, &p) == nil && p.Print == s.Print() {
			st.Read, st.Tried, st.Why, st.Left = p.Read, p.Tried, p.Why, p.Left
			switch {
			case p.Failures >= failing:
				st.State = SourceFailing
			case !p.Read.IsZero() && now.Sub(p.Read) <= stale(s.Every):
				st.State = SourceRead
			}
		}
		if err == nil {
			st.Next = t.Due
		}
		out = append(out, st)
	}
	return out, nil
}

// stale is after which time a source that was read once is unknown.
func stale(every time.Duration) time.Duration { return max(4*every, 20*time.Minute) }

// invalid makes an error whose text for people is a message of the catalogue.
func invalid(id string, pairs ...any) error {
	return continuity.E(continuity.CodeInvalid, nil, append([]any{"detail_id", id}, pairs...)...)
}
