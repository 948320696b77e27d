package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
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

// Draft makes a new version, which does not hold yet where nothing else is said;
// CodeVersion where the version that it started from no longer holds.
func (p Plans) Draft(ctx context.Context, actor continuity.Actor, d continuity.PlanProposal) (v continuity.PlanVersion, err error) {
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
		Service: d.Service, Number: head.Newest, Base: d.Base, Hash: textsHash(d.Texts), Parts: d.Parts,
		Author: actor, Made: p.now(), Reason: d.Reason, State: continuity.PlanDraft,
	}
	b, action := p.edit(actor, d.Reason), "plan.drafted"
	if d.Apply {
		if err := p.replace(ctx, b, head.Applied, d.Service); err != nil {
			return v, err
		}
		v.State, v.Applied, head.Applied, action = continuity.PlanApplied, v.Made, v.Number, "plan.applied"
	}
	b.put(kindPlan, d.Service, d.Service, at, "plan.numbered", head)
	b.put(kindPlanVersion, versionID(d.Service, v.Number), d.Service, continuity.VersionNew, action, v)
	switch _, err := p.s.Get(ctx, kindPlanTexts, v.Hash); continuity.CodeOf(err) {
	case continuity.CodeNotFound:
		b.put(kindPlanTexts, v.Hash, "", continuity.VersionAny, "plan.written", d.Texts)
	case "":
	default:
		return v, err
	}
	return v, b.commit(ctx)
}

// replace notes of the version that holds that it holds no longer.
func (p Plans) replace(ctx context.Context, b *edit, applied int64, service string) error {
	if applied == 0 {
		return nil
	}
	old, at, err := p.version(ctx, service, applied)
	if err != nil {
		return err
	}
	old.State = continuity.PlanReplaced
	b.put(kindPlanVersion, versionID(service, old.Number), service, at, "plan.replaced", old)
	return nil
}

// Review notes that somebody who did not write a draft has read it, or that
// somebody has read the version that holds through again.
func (p Plans) Review(ctx context.Context, actor continuity.Actor, service string, number int64, note string) (continuity.PlanVersion, error) {
	v, at, err := p.version(ctx, service, number)
	if err != nil {
		return v, err
	}
	word := &continuity.PlanVerdict{By: actor, At: p.now(), Note: note}
	if v.State == continuity.PlanApplied {
		v.Reread = word
		return v, p.note(ctx, actor, v, at, note, "plan.reread")
	}
	if err := byAnother(v, actor); err != nil {
		return v, err
	}
	v.Review = word
	return v, p.note(ctx, actor, v, at, note, "plan.reviewed")
}

// Approve notes that somebody who did not write a draft lets a part of it hold,
// beside whoever did so before.
func (p Plans) Approve(ctx context.Context, actor continuity.Actor, service string, number int64, part, note string) (continuity.PlanVersion, error) {
	v, at, err := p.version(ctx, service, number)
	if err != nil {
		return v, err
	}
	if err := byAnother(v, actor); err != nil {
		return v, err
	}
	if !slices.Contains(v.Parts, part) {
		return v, continuity.E(continuity.CodeInvalid, errors.New("the version does not change that part"))
	}
	if !v.Approved(part, continuity.PlanVerdict{By: actor, At: p.now(), Note: note}) {
		return v, nil
	}
	action := "plan.approved"
	if part == continuity.PartTech {
		action = "plan.tech-approved"
	}
	return v, p.note(ctx, actor, v, at, note, action)
}

// settled refuses a word on a version that is no draft.
func settled(v continuity.PlanVersion) error {
	return continuity.E(continuity.CodeState, nil, "detail_id", "planbook.no-draft", "plan", v.Service, "number", v.Number, "state", v.State)
}

// byAnother refuses a word on a version that is no draft, or by its author.
func byAnother(v continuity.PlanVersion, actor continuity.Actor) error {
	if v.State != continuity.PlanDraft {
		return settled(v)
	}
	if v.Author.Kind == actor.Kind && v.Author.ID == actor.ID {
		return continuity.E(continuity.CodeApproval, nil)
	}
	return nil
}

func (p Plans) note(ctx context.Context, actor continuity.Actor, v continuity.PlanVersion, at int64, reason, action string) error {
	b := p.edit(actor, reason)
	b.put(kindPlanVersion, versionID(v.Service, v.Number), v.Service, at, action, v)
	return b.commit(ctx)
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
		return v, settled(v)
	case v.Base != head.Applied:
		return v, overtaken(service, head.Applied)
	case approved && len(v.Lacks()) > 0:
		return v, continuity.E(continuity.CodeApproval, nil, "plan", service, "number", number, "lacks", strings.Join(v.Lacks(), "+"))
	}
	b := p.edit(actor, reason)
	if err := p.replace(ctx, b, head.Applied, service); err != nil {
		return v, err
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

// Numbers are a service's newest version and the one that holds; 0: none.
func (p Plans) Numbers(ctx context.Context, service string) (newest, applied int64, err error) {
	head, _, err := p.head(ctx, service)
	return head.Newest, head.Applied, err
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
	text := fmt.Appendf(nil, "holdfast plan 1\n%d\n%d\n%s%s", len(t.Plan), len(t.Tech), t.Plan, t.Tech)
	for _, name := range slices.Sorted(maps.Keys(t.Files)) {
		text = fmt.Appendf(text, "%d\n%d\n%s%s", len(name), len(t.Files[name]), name, t.Files[name])
	}
	sum := sha256.Sum256(text)
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
