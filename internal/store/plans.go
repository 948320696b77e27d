package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"holdfast/internal/continuity"
)

const (
	kindPlan        = "plan"         // which versions a service has
	kindPlanVersion = "plan-version" // one of them
	kindPlanTexts   = "plan-texts"   // by their hash: they outlive every edit unchanged
)

// Plans is the store of plans, with all their versions.
type Plans struct{ s *Store }

// Plans returns the store of plans.
func (s *Store) Plans() Plans { return Plans{s} }

type planHead struct {
	Newest  int64 `json:"newest"`
	Applied int64 `json:"applied"` // 0: none yet
}

// PlanDraft is a plan on its way.
type PlanDraft struct {
	Service string
	Base    int64 // the applied version that it was written from; 0: none
	Texts   continuity.PlanTexts
	Reason  string
}

// Draft makes a new version that does not hold yet; CodeVersion where the version
// that it started from no longer holds.
func (p Plans) Draft(ctx context.Context, actor continuity.Actor, d PlanDraft) (v continuity.PlanVersion, err error) {
	if d.Service == "" || d.Texts.Plan == "" {
		return v, continuity.E(continuity.CodeInvalid, errors.New("a plan needs a service and a text"))
	}
	head, at, err := p.head(ctx, d.Service)
	if err != nil {
		return v, err
	}
	if d.Base != head.Applied {
		return v, overtaken(d.Service, head.Applied)
	}
	head.Newest++
	v = continuity.PlanVersion{
		Service: d.Service, Number: head.Newest, Base: d.Base, Hash: textsHash(d.Texts),
		Author: actor, Made: p.now(), Reason: d.Reason, State: continuity.PlanDraft,
	}
	b := p.edit(actor, d.Reason)
	b.put(kindPlan, d.Service, d.Service, at, "plan.numbered", head)
	b.put(kindPlanVersion, versionID(d.Service, v.Number), d.Service, continuity.VersionNew, "plan.drafted", v)
	switch _, err := p.s.Get(ctx, kindPlanTexts, v.Hash); continuity.CodeOf(err) {
	case continuity.CodeNotFound:
		b.put(kindPlanTexts, v.Hash, "", continuity.VersionAny, "plan.written", d.Texts)
	case "":
	default:
		return v, err
	}
	return v, b.commit(ctx)
}

// Review notes that somebody who did not write a draft has read it.
func (p Plans) Review(ctx context.Context, actor continuity.Actor, service string, number int64, note string) (continuity.PlanVersion, error) {
	return p.judge(ctx, actor, service, number, note, "plan.reviewed", func(v *continuity.PlanVersion, word *continuity.PlanVerdict) { v.Review = word })
}

// Approve notes that somebody who did not write a draft lets it hold.
func (p Plans) Approve(ctx context.Context, actor continuity.Actor, service string, number int64, note string) (continuity.PlanVersion, error) {
	return p.judge(ctx, actor, service, number, note, "plan.approved", func(v *continuity.PlanVersion, word *continuity.PlanVerdict) { v.Approval = word })
}

func (p Plans) judge(ctx context.Context, actor continuity.Actor, service string, number int64, note, action string, set func(*continuity.PlanVersion, *continuity.PlanVerdict)) (continuity.PlanVersion, error) {
	v, at, err := p.version(ctx, service, number)
	if err != nil {
		return v, err
	}
	if v.State != continuity.PlanDraft {
		return v, continuity.E(continuity.CodeState, nil, "state", v.State)
	}
	if v.Author.Kind == actor.Kind && v.Author.ID == actor.ID {
		return v, continuity.E(continuity.CodeApproval, nil)
	}
	set(&v, &continuity.PlanVerdict{By: actor, At: p.now(), Note: note})
	b := p.edit(actor, note)
	b.put(kindPlanVersion, versionID(service, number), service, at, action, v)
	return v, b.commit(ctx)
}

// Apply lets a draft hold in the place of the version it started from;
// CodeVersion where another one holds meanwhile, with that one's number, and
// CodeApproval where it has to be approved and is not.
func (p Plans) Apply(ctx context.Context, actor continuity.Actor, service string, number int64, approved bool, reason string) (continuity.PlanVersion, error) {
	v, at, err := p.version(ctx, service, number)
	if err != nil {
		return v, err
	}
	head, headAt, err := p.head(ctx, service)
	if err != nil {
		return v, err
	}
	switch {
	case v.State != continuity.PlanDraft:
		return v, continuity.E(continuity.CodeState, nil, "state", v.State)
	case v.Base != head.Applied:
		return v, overtaken(service, head.Applied)
	case approved && v.Approval == nil:
		return v, continuity.E(continuity.CodeApproval, nil)
	}
	b := p.edit(actor, reason)
	if head.Applied != 0 {
		old, oldAt, err := p.version(ctx, service, head.Applied)
		if err != nil {
			return v, err
		}
		old.State = continuity.PlanReplaced
		b.put(kindPlanVersion, versionID(service, old.Number), service, oldAt, "plan.replaced", old)
	}
	v.State, v.Applied, head.Applied = continuity.PlanApplied, p.now(), number
	b.put(kindPlanVersion, versionID(service, number), service, at, "plan.applied", v)
	b.put(kindPlan, service, service, headAt, "plan.moved", head)
	return v, b.commit(ctx)
}

// Applied returns the version that holds; CodeNotFound where none does.
func (p Plans) Applied(ctx context.Context, service string) (continuity.PlanVersion, error) {
	head, _, err := p.head(ctx, service)
	if err != nil {
		return continuity.PlanVersion{}, err
	}
	return p.Get(ctx, service, head.Applied)
}

// Get returns one version.
func (p Plans) Get(ctx context.Context, service string, number int64) (continuity.PlanVersion, error) {
	v, _, err := p.version(ctx, service, number)
	return v, err
}

// Texts returns what a version says.
func (p Plans) Texts(ctx context.Context, v continuity.PlanVersion) (texts continuity.PlanTexts, err error) {
	o, err := p.s.Get(ctx, kindPlanTexts, v.Hash)
	if err == nil {
		err = read(o, &texts)
	}
	return texts, err
}

// Services returns a page of the services that have a plan or a draft.
func (p Plans) Services(ctx context.Context, cursor string, limit int) (page []string, next string, err error) {
	objects, next, err := p.s.List(ctx, continuity.Query{Kind: kindPlan, Cursor: cursor, Limit: limit})
	for _, o := range objects {
		page = append(page, o.ID)
	}
	return page, next, err
}

// Versions returns a page of a service's versions, the first one first.
func (p Plans) Versions(ctx context.Context, service, cursor string, limit int) (page []continuity.PlanVersion, next string, err error) {
	objects, next, err := p.s.List(ctx, continuity.Query{Kind: kindPlanVersion, Service: service, Cursor: cursor, Limit: limit})
	if err != nil {
		return nil, "", err
	}
	page = make([]continuity.PlanVersion, len(objects))
	for i, o := range objects {
		if err := read(o, &page[i]); err != nil {
			return nil, "", err
		}
	}
	return page, next, nil
}

func (p Plans) head(ctx context.Context, service string) (h planHead, version int64, err error) {
	o, err := p.s.Get(ctx, kindPlan, service)
	if continuity.CodeOf(err) == continuity.CodeNotFound {
		return h, continuity.VersionNew, nil
	}
	if err == nil {
		err = read(o, &h)
	}
	return h, o.Version, err
}

func (p Plans) version(ctx context.Context, service string, number int64) (v continuity.PlanVersion, version int64, err error) {
	o, err := p.s.Get(ctx, kindPlanVersion, versionID(service, number))
	if err == nil {
		err = read(o, &v)
	}
	return v, o.Version, err
}

func (p Plans) now() time.Time { return p.s.now().UTC().Truncate(time.Microsecond) }

// versionID sorts by number.
func versionID(service string, number int64) string { return fmt.Sprintf("%s/%08d", service, number) }

func textsHash(t continuity.PlanTexts) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "holdfast plan 1\n%d\n%s%s", len(t.Plan), t.Plan, t.Tech))
	return hex.EncodeToString(sum[:])
}

func overtaken(service string, applied int64) error {
	return continuity.E(continuity.CodeVersion, nil, "kind", kindPlan, "id", service, "version", applied)
}

// edit collects what changes together.
type edit struct {
	s      *Store
	actor  continuity.Actor
	reason string
	list   []continuity.Change
	err    error
}

func (p Plans) edit(actor continuity.Actor, reason string) *edit {
	return &edit{s: p.s, actor: actor, reason: reason}
}

func (e *edit) put(kind, id, service string, version int64, action string, v any) {
	c, err := change(kind, id, service, version, action, e.reason, v)
	e.list, e.err = append(e.list, c), errors.Join(e.err, err)
}

func (e *edit) commit(ctx context.Context) error {
	if e.err != nil {
		return e.err
	}
	_, err := e.s.Apply(ctx, e.actor, e.list)
	return err
}
