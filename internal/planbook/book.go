package planbook

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/plan"
	"holdfast/internal/yamldoc"
)

// Store keeps versions and their texts.
type Store interface {
	Draft(ctx context.Context, actor continuity.Actor, p continuity.PlanProposal) (continuity.PlanVersion, error)
	Review(ctx context.Context, actor continuity.Actor, service string, number int64, note string) (continuity.PlanVersion, error)
	Approve(ctx context.Context, actor continuity.Actor, service string, number int64, part, note string) (continuity.PlanVersion, error)
	Apply(ctx context.Context, actor continuity.Actor, service string, number int64, approved bool, reason string) (continuity.PlanVersion, error)
	Numbers(ctx context.Context, service string) (newest, applied int64, err error)
	Get(ctx context.Context, service string, number int64) (continuity.PlanVersion, error)
	Texts(ctx context.Context, v continuity.PlanVersion) (continuity.PlanTexts, error)
	Services(ctx context.Context, cursor string, limit int) (page []string, next string, err error)
	Versions(ctx context.Context, service, cursor string, limit int) (page []continuity.PlanVersion, next string, err error)
}

// People are those whom plans may name.
type People interface {
	List(ctx context.Context, cursor string, limit int) (page []continuity.Person, next string, err error)
}

// Options is what a book needs.
type Options struct {
	Store  Store
	People People
	// Approval keeps a version from holding before others have approved it.
	Approval bool
	// Refused reports the checks of a plan that the node may not look at; nil: it
	// may look at all.
	Refused func(*plan.Plan) []yamldoc.Problem
	Now     func() time.Time
	Logger  *slog.Logger
}

// Book is the plans of a node. Its methods may be called at the same time.
type Book struct {
	Options

	reading sync.Mutex // one reader of the store at a time, so that nothing older comes last

	mu       sync.RWMutex
	people   *roll
	services map[string]*entry
	holding  Holding
	changed  chan struct{} // what holding names
}

// Holding is what holds at one moment. It is everybody's: nobody changes it.
type Holding struct {
	Plans []*plan.Plan // by their services
	// Unread are the services of whose plans this program can't read all, as a newer
	// one has applied them: what such a plan does not seem to name may stand in it still.
	Unread  map[string]bool
	Changed <-chan struct{} // closed when something else holds
}

// entry is what the book knows of a service. It is replaced, never changed.
type entry struct {
	service string
	version continuity.PlanVersion // number 0: none holds
	plan    *plan.Plan             // nil: none holds, or it can't be read at all
	drafts  []continuity.PlanVersion
	flags   []yamldoc.Problem
	partly  bool         // engines don't get all that stands in it
	people  *plan.People // by which it was read
}

// Open reads the book.
func Open(ctx context.Context, o Options) (*Book, error) {
	b := &Book{Options: o, services: map[string]*entry{}}
	b.hold()
	if err := b.Reload(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

// Holding is what holds now. Who ends what is not in its plans heeds which of them
// were read whole: both are of the same moment.
func (b *Book) Holding() Holding {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.holding
}

// Current returns the plans that hold, and a channel that is closed when others do.
func (b *Book) Current() ([]*plan.Plan, <-chan struct{}) {
	h := b.Holding()
	return h.Plans, h.Changed
}

// faulty reports whether what holds would be refused now.
func (e *entry) faulty() bool { return e != nil && yamldoc.Failed(e.flags) }

// unread reports whether not all that holds can be read. A mistake such as a person
// whom nobody knows leaves nothing out.
func (e *entry) unread() bool { return e.faulty() && e.partly }

// Reload reads people and plans anew.
func (b *Book) Reload(ctx context.Context) error {
	b.reading.Lock()
	defer b.reading.Unlock()
	if err := b.readPeople(ctx); err != nil {
		return err
	}
	for cursor := ""; ; {
		page, next, err := b.Store.Services(ctx, cursor, pageSize)
		if err != nil {
			return err
		}
		for _, service := range page {
			if err := b.readService(ctx, service); err != nil {
				return err
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

const pageSize = 500

// refreshPeople reads the people anew, as somebody may have come a moment ago.
func (b *Book) refreshPeople(ctx context.Context) error {
	b.reading.Lock()
	defer b.reading.Unlock()
	return b.readPeople(ctx)
}

// refresh reads one service anew.
func (b *Book) refresh(ctx context.Context, service string) error {
	b.reading.Lock()
	defer b.reading.Unlock()
	return b.readService(ctx, service)
}

// readService reads what the store says of a service; reading is locked.
func (b *Book) readService(ctx context.Context, service string) error {
	newest, applied, err := b.Store.Numbers(ctx, service)
	if err != nil {
		return err
	}
	if newest == 0 {
		return nil
	}
	e, old := &entry{service: service, people: b.people.people}, b.entry(service)
	for n := max(applied, 1); n <= newest; n++ {
		v, err := b.Store.Get(ctx, service, n)
		switch {
		case err != nil:
			return err
		case n == applied:
			e.version = v
		case v.State == continuity.PlanDraft && v.Base == applied:
			e.drafts = append(e.drafts, v)
		}
	}
	switch {
	case applied == 0:
	case old != nil && old.version.Hash == e.version.Hash && old.people == e.people:
		e.plan, e.flags, e.partly = old.plan, old.flags, old.partly
	default:
		texts, err := b.Store.Texts(ctx, e.version)
		if err != nil {
			return err
		}
		e.plan, e.flags = read(fileName(service), texts, e.people)
		e.partly = e.plan == nil || e.plan.Partly || !binding.Whole(e.plan)
		if old != nil && old.plan != nil && e.plan == nil {
			e.plan = old.plan // it was put into force meanwhile by a program that could read it
		}
	}
	if e.unread() && !old.unread() {
		wrong, _ := split(e.flags)
		b.Logger.WarnContext(ctx, "this version can't read all of a plan that holds; what it does not find there stays as it was",
			"service", service, "version", applied, "at", fmt.Sprintf("%s:%d", wrong[0].File, wrong[0].Line), "problem", wrong[0].ID, "problems", len(wrong))
	}
	b.put(e, old)
	return nil
}

func (b *Book) put(e, old *entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.services[e.service] = e
	if old != nil && old.version.Number == e.version.Number && old.version.Hash == e.version.Hash && old.faulty() == e.faulty() {
		return // what it says is what it said
	}
	close(b.changed)
	b.hold()
}

// hold makes of the services what holds; mu is locked.
func (b *Book) hold() {
	b.changed = make(chan struct{})
	b.holding = Holding{Unread: map[string]bool{}, Changed: b.changed}
	for _, service := range b.names() {
		e := b.services[service]
		if e.plan != nil {
			b.holding.Plans = append(b.holding.Plans, e.plan)
		}
		if e.unread() {
			b.holding.Unread[service] = true
		}
	}
}

// names are the services in their order; mu is locked.
func (b *Book) names() []string {
	names := make([]string, 0, len(b.services))
	for name := range b.services {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (b *Book) entry(service string) *entry {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.services[service]
}
