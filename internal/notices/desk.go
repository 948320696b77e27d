package notices

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notices/extract"
	"holdfast/internal/outgoing/plain"
)

// Store keeps the control plane's state; *store.Store is one.
type Store interface {
	Get(ctx context.Context, kind, id string) (continuity.Object, error)
	List(ctx context.Context, q continuity.Query) ([]continuity.Object, string, error)
	Commit(ctx context.Context, b continuity.Batch) ([]continuity.Object, error)
	Timer(ctx context.Context, id string) (continuity.Timer, error)
}

// Warnings takes what a person confirmed; *warning.Inbox is one.
type Warnings interface {
	Notice(ctx context.Context, by continuity.Actor, service, name string, level continuity.Level, text continuity.Text, link string) error
	End(ctx context.Context, by continuity.Actor, service, source, name string) error
}

// Options is what a Desk needs.
type Options struct {
	Store    Store
	Node     string
	Warnings Warnings
	// Open makes a source; kinds.New does.
	Open  func(*Spec, *Tools) (Source, error)
	Tools *Tools
	Log   *slog.Logger
	Now   func() time.Time
}

// Desk keeps the proposals. Several nodes have one each, over one store.
type Desk struct {
	o Options

	mu       sync.Mutex
	services map[string]Service
	opened   map[string]opened // by ref
}

// Service is what a plan says about notices.
type Service struct {
	ID       string
	Provider string
	Zone     *time.Location
	Names    []extract.Name
	Sources  []Spec
}

type opened struct {
	fingerprint string // of the spec that it was opened for
	source      Source
}

// New makes a desk that knows no services yet.
func New(o Options) *Desk {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Desk{o: o, services: map[string]Service{}, opened: map[string]opened{}}
}

// Set makes the desk go by other plans.
func (d *Desk) Set(services []Service) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.services = map[string]Service{}
	known := map[string]bool{}
	for _, s := range services {
		d.services[s.ID] = s
		for i := range s.Sources {
			known[s.Sources[i].Ref()] = true
		}
	}
	for ref := range d.opened {
		if !known[ref] {
			delete(d.opened, ref)
		}
	}
}

// spec finds a source by its ref.
func (d *Desk) spec(ref string) (Spec, bool) {
	service, id, _ := strings.Cut(ref, "/")
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.services[service].Sources {
		if s.ID == id {
			return s, true
		}
	}
	return Spec{}, false
}

// specs are all sources, in order.
func (d *Desk) specs() (all []Spec) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.services {
		all = append(all, s.Sources...)
	}
	slices.SortFunc(all, func(a, b Spec) int { return strings.Compare(a.Ref(), b.Ref()) })
	return all
}

// source opens a source, once for what its spec says.
func (d *Desk) source(s *Spec) (Source, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fingerprint := s.Print() + " " + s.AuthRef
	if o, ok := d.opened[s.Ref()]; ok && o.fingerprint == fingerprint {
		return o.source, nil
	}
	source, err := d.o.Open(s, d.o.Tools)
	if err != nil {
		return nil, err
	}
	d.opened[s.Ref()] = opened{fingerprint, source}
	return source, nil
}

// Print is what a source reads: another one begins anew. Who it is read as does
// not count: the same is read with another secret.
func (s *Spec) Print() string {
	zone := ""
	if s.Zone != nil {
		zone = s.Zone.String()
	}
	return sum(s.Ref(), s.Kind, zone, s.URL, s.Selector, strings.Join(s.Components, "\n"), s.Server, s.User, s.Folder, strings.Join(s.From, " "), s.Trust.Name, s.Trust.CA, s.Trust.Certificate, s.Trust.Key, strings.Join(s.Allow, " "))[:16]
}

// me is who changes what no person changes.
func (d *Desk) me() continuity.Actor {
	return continuity.Actor{Kind: continuity.ActorEngine, ID: "notices", Via: d.o.Node}
}

func (d *Desk) now() time.Time { return d.o.Now().UTC().Truncate(time.Second) }

// get returns a proposal and its version; there is none: nil.
func (d *Desk) get(ctx context.Context, id string) (*Proposal, int64, error) {
	o, err := d.o.Store.Get(ctx, Kind, id)
	if continuity.CodeOf(err) == continuity.CodeNotFound {
		return nil, continuity.VersionNew, nil
	}
	if err != nil {
		return nil, 0, err
	}
	p := new(Proposal)
	return p, o.Version, json.Unmarshal(o.Body, p)
}

func change(p *Proposal, version int64, action, reason string) (continuity.Change, error) {
	body, err := json.Marshal(p)
	return continuity.Change{Kind: Kind, ID: p.ID, Service: p.Service, Version: version, Body: body, Action: action, Reason: reason}, err
}

// tidy bounds what a source gave.
func (i *Item) tidy() {
	i.Title, i.Text = plain.Line(i.Title, 300), plain.Tidy(i.Text)
	i.URL = plain.Line(i.URL, 500)
	if lower := strings.ToLower(i.URL); !strings.HasPrefix(lower, "https://") && !strings.HasPrefix(lower, "http://") {
		i.URL = ""
	}
	if len(i.Stated.Affected) > 50 {
		i.Stated.Affected = i.Stated.Affected[:50]
	}
	if i.Title == "" { // the first line is it, and stands in the text only where it is too long for a title
		line, rest, _ := strings.Cut(i.Text, "\n")
		if i.Title = plain.Cut(line, 300); i.Title == line {
			i.Text = plain.Tidy(rest)
		}
	}
	i.Key = plain.Line(i.Key, 500)
	if i.Key == "" {
		i.Key = "text:" + sum(i.Title, i.Text)[:20]
	}
}

// old is how far back an announcement counts that speaks of nothing ahead.
const old = 7 * 24 * time.Hour

// propose makes of an item the change that it asks for; nil: none.
func (d *Desk) propose(ctx context.Context, s *Spec, item *Item, hash string, now time.Time) (*continuity.Change, error) {
	id := idOf(s.Service, s.ID, item.Key)
	p, version, err := d.get(ctx, id)
	if err != nil {
		return nil, err
	}
	r := read(s, item, now)
	if p == nil {
		p, err = d.first(ctx, s, item, &r, now)
		if err != nil || p == nil {
			return nil, err
		}
		p.ID, p.Hash, p.Key = id, hash, item.Key
		c, err := change(p, version, ActionProposed, "")
		return &c, err
	}
	if p.Hash == hash {
		return nil, nil
	}
	action := d.again(p, item, &r, now)
	p.Hash = hash
	c, err := change(p, version, action, "")
	return &c, err
}

// first makes a proposal of an announcement that nobody has seen; nil: it is of
// no use any more.
func (d *Desk) first(ctx context.Context, s *Spec, item *Item, r *extract.Reading, now time.Time) (*Proposal, error) {
	p := &Proposal{
		Service: s.Service, Source: s.ID, Provider: s.Provider, Type: TypeOf(r.Kind), State: Proposed, Asks: AsksNew,
		Title: item.Title, Text: item.Text, URL: item.URL, Written: item.Written, Found: now, Reading: *r,
	}
	ahead := r.Start.After(now) || r.End.After(now) || slices.ContainsFunc(r.Candidates, func(w extract.Window) bool { return w.Start.After(now) || w.End.After(now) })
	switch {
	case p.Type == TypeWord:
		open, about, err := d.meant(ctx, s, r)
		if err != nil || !open {
			return nil, err // it speaks of nothing that anybody knows here
		}
		p.About, p.Asks = about, AsksOver
		if r.Kind == extract.Cancelled {
			p.Asks = AsksCancelled
		}
		return p, nil
	case item.Quiet && r.Kind == "":
		return nil, nil
	case !r.End.IsZero() && r.End.Before(now) && len(r.Candidates) == 0:
		return nil, nil
	case !ahead && !item.Written.IsZero() && item.Written.Before(now.Add(-old)):
		return nil, nil
	}
	return p, nil
}

// meant finds which open proposal of the same source a word is about: the one of
// that window, or the only one. open says whether there is any.
func (d *Desk) meant(ctx context.Context, s *Spec, r *extract.Reading) (open bool, about string, err error) {
	var all []*Proposal
	err = d.each(ctx, s.Service, func(p *Proposal, _ int64) bool {
		if p.Source == s.ID && p.Type != TypeWord && (p.State == Confirmed || p.State == Proposed) {
			all = append(all, p)
		}
		return true
	})
	var same []*Proposal
	for _, p := range all {
		if start := p.start(); !start.IsZero() && start.Equal(r.Start) {
			same = append(same, p)
		}
	}
	switch {
	case len(same) == 1:
		about = same[0].ID
	case len(same) == 0 && len(all) == 1 && (r.Start.IsZero() || all[0].Type == TypeWarning):
		about = all[0].ID
	}
	return len(all) > 0, about, err
}

func (p *Proposal) start() time.Time {
	if p.Agreed != nil {
		return p.Agreed.Start
	}
	return p.Reading.Start
}

// again takes what the provider changed, and says by which action.
func (d *Desk) again(p *Proposal, item *Item, r *extract.Reading, now time.Time) string {
	changed, over := differs(&p.Reading, r), r.Kind == extract.Resolved || r.Kind == extract.Cancelled
	text := p.Text != item.Text || p.Title != item.Title
	p.Title, p.Text, p.URL, p.Written, p.Changed = item.Title, item.Text, item.URL, item.Written, now
	if over { // what it was stays readable
		p.Reading.Doubts = r.Doubts
	} else {
		p.Reading = *r
		if p.State != Confirmed {
			p.Type = TypeOf(r.Kind)
		}
	}
	switch {
	case over && p.State == Confirmed:
		if p.Asks = AsksOver; r.Kind == extract.Cancelled {
			p.Asks = AsksCancelled
		}
	case over:
		p.State, p.Asks = Over, ""
		return ActionOver
	case p.State == Confirmed && (changed || text && p.Type == TypeWindow):
		p.Asks = AsksChanged
	case p.State == Dismissed && changed, p.State == Over:
		p.State, p.Asks = Proposed, AsksChanged
	}
	return ActionChanged
}

// gone takes that a source which lists all that is open lists something no
// longer.
func (d *Desk) gone(ctx context.Context, s *Spec, key string, now time.Time) (*continuity.Change, error) {
	p, version, err := d.get(ctx, idOf(s.Service, s.ID, key))
	if err != nil || p == nil {
		return nil, err
	}
	action := ActionChanged
	switch {
	case p.State == Confirmed && p.Asks != AsksOver:
		p.Asks, p.Changed = AsksOver, now
	case p.State == Proposed:
		p.State, p.Asks, p.Changed, action = Over, "", now, ActionOver
	default:
		return nil, nil
	}
	p.Reading.Doubt(DoubtGone)
	p.Hash = "" // if it comes back it counts as changed
	c, err := change(p, version, action, "")
	return &c, err
}

// DoubtGone is that a notice is no longer listed; a message of the catalogue
// under "notice.doubt.".
const DoubtGone = "gone"

// each goes through the proposals of a service, or of all.
func (d *Desk) each(ctx context.Context, service string, visit func(p *Proposal, version int64) bool) error {
	for cursor := ""; ; {
		page, next, err := d.o.Store.List(ctx, continuity.Query{Kind: Kind, Service: service, Cursor: cursor, Limit: 500})
		if err != nil {
			return err
		}
		for _, o := range page {
			p := new(Proposal)
			if err := json.Unmarshal(o.Body, p); err != nil {
				return err
			}
			if !visit(p, o.Version) {
				return nil
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}
