package upgrade

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// Objects are where upgrades are kept.
type Objects interface {
	Commit(context.Context, continuity.Batch) ([]continuity.Object, error)
	Get(ctx context.Context, kind, id string) (continuity.Object, error)
	List(context.Context, continuity.Query) ([]continuity.Object, string, error)
}

// ActsOptions are what acts need.
type ActsOptions struct {
	Objects Objects
	Plans   Plans
	// May says whether somebody may decide something of a service: a word of the plan's
	// roles. nil: whoever comes this far may.
	May func(ctx context.Context, by continuity.Actor, service, word string) error
	Now func() time.Time // nil: time.Now
}

// Acts are what people do with upgrades, on any node.
type Acts struct{ o ActsOptions }

// NewActs makes them.
func NewActs(o ActsOptions) *Acts {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Acts{o}
}

// Kept is an upgrade with its version.
type Kept struct {
	continuity.Upgrade

	Version int64
}

// Query selects upgrades.
type Query struct {
	Service string
	State   string
	All     bool // those that are over, too
	Cursor  string
	Limit   int
}

// Words of the plan's roles.
const (
	mayBegin   = "switch"
	mayRestore = "restore"
)

// person is the kind of actors who agree: no program does.
const person = "user"

func invalid(what string, pairs ...any) error {
	return continuity.E(continuity.CodeInvalid, nil, append([]any{"detail_id", "upgrade.invalid." + what}, pairs...)...)
}

func wrongState(u *continuity.Upgrade) error {
	return continuity.E(continuity.CodeState, nil, "detail_id", "upgrade.invalid.state", "id", u.ID, "state", u.State, "state_text", "upgrade.state."+u.State)
}

// List returns a page of upgrades by their ids; it may have fewer than asked for.
func (a *Acts) List(ctx context.Context, q Query) (page []Kept, next string, err error) {
	page = []Kept{}
	for next = q.Cursor; ; {
		objects, after, err := a.o.Objects.List(ctx, continuity.Query{Kind: continuity.KindUpgrade, Service: q.Service, Cursor: next, Limit: q.Limit})
		if err != nil {
			return nil, "", err
		}
		for _, o := range objects {
			k, err := keptOf(o)
			if err != nil {
				return nil, "", err
			}
			if (q.All || q.State != "" || !k.Over()) && (q.State == "" || q.State == k.State) {
				page = append(page, k)
			}
		}
		if next = after; next == "" || len(page) > 0 {
			return page, next, nil
		}
	}
}

func keptOf(o continuity.Object) (Kept, error) {
	k := Kept{Version: o.Version}
	return k, json.Unmarshal(o.Body, &k.Upgrade)
}

// Get returns one upgrade with its version.
func (a *Acts) Get(ctx context.Context, id string) (Kept, error) {
	o, err := a.o.Objects.Get(ctx, continuity.KindUpgrade, id)
	if err != nil {
		return Kept{}, err
	}
	return keptOf(o)
}

// Draft is an upgrade that somebody wants.
type Draft struct {
	Service string
	Upgrade string // of the plan
	To      string
	Why     string
}

const mostTries = 10

// Plan writes an upgrade down: it is looked at, and nothing is touched.
func (a *Acts) Plan(ctx context.Context, by continuity.Actor, d Draft) (Kept, error) {
	d.To, d.Why = words(d.To), words(d.Why)
	if d.To == "" || strings.ContainsAny(d.To, " \t\n") {
		return Kept{}, invalid("version")
	}
	spec, err := a.spec(d.Service, d.Upgrade)
	if err != nil {
		return Kept{}, err
	}
	now := a.o.Now().UTC()
	for range mostTries {
		id, err := a.numbered(ctx, d.Service, now.Year())
		if err != nil {
			return Kept{}, err
		}
		t := &turn{spec: spec, now: now, version: continuity.VersionNew}
		t.Upgrade = continuity.Upgrade{
			ID: id, Service: d.Service, Upgrade: d.Upgrade, Plan: spec.Plan, To: d.To, Why: d.Why, By: by, Planned: now, Checked: []string{},
		}
		t.to("look")
		t.action = "upgrade.planned"
		objects, err := a.o.Objects.Commit(ctx, continuity.Batch{Actor: by, Changes: t.batch()})
		if continuity.CodeOf(err) == continuity.CodeVersion {
			continue // somebody was faster with this number
		}
		if err != nil {
			return Kept{}, err
		}
		return keptOf(objects[0])
	}
	return Kept{}, continuity.E(continuity.CodeBusy, nil)
}

func (a *Acts) spec(service, id string) (*Spec, error) {
	spec, ok := a.o.Plans.Of(service, id)
	if !ok {
		return nil, continuity.E(continuity.CodeNotFound, nil, "detail_id", "upgrade.invalid.unknown", "service", service, "id", id)
	}
	return spec, nil
}

// numbered is the id of the next upgrade of a service in a year.
func (a *Acts) numbered(ctx context.Context, service string, year int) (string, error) {
	all, err := a.all(ctx, service)
	if err != nil {
		return "", err
	}
	for n := 1; ; n++ {
		id := fmt.Sprintf("%s-u-%d-%d", service, year, n)
		if !slices.ContainsFunc(all, func(k Kept) bool { return k.ID == id }) {
			return id, nil
		}
	}
}

// all are a service's upgrades.
func (a *Acts) all(ctx context.Context, service string) (all []Kept, err error) {
	for cursor := ""; ; {
		page, next, err := a.List(ctx, Query{Service: service, All: true, Cursor: cursor, Limit: 1000})
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if cursor = next; cursor == "" {
			return all, nil
		}
	}
}

// act reads an upgrade, has it changed, and commits that. version is the one that was
// seen, or continuity.VersionAny.
func (a *Acts) act(ctx context.Context, by continuity.Actor, id string, version int64, do func(*turn) error) (Kept, error) {
	for range mostTries {
		k, err := a.Get(ctx, id)
		if err != nil {
			return Kept{}, err
		}
		if version != continuity.VersionAny && version != k.Version {
			return k, continuity.E(continuity.CodeVersion, nil, "kind", continuity.KindUpgrade, "id", id, "version", k.Version)
		}
		spec, err := a.spec(k.Service, k.Upgrade.Upgrade)
		if err != nil {
			return k, err
		}
		t := &turn{Upgrade: clone(&k.Upgrade), version: k.Version, spec: spec, now: a.o.Now().UTC()}
		if err := do(t); err != nil {
			return k, err
		}
		changes := t.batch()
		if changes == nil {
			return k, nil // it is so already
		}
		objects, err := a.o.Objects.Commit(ctx, continuity.Batch{Actor: by, Changes: changes})
		if continuity.CodeOf(err) == continuity.CodeVersion && version == continuity.VersionAny {
			continue
		}
		if err != nil {
			return k, err
		}
		return keptOf(objects[0])
	}
	return Kept{}, continuity.E(continuity.CodeBusy, nil)
}

func (a *Acts) may(ctx context.Context, by continuity.Actor, service, word string) error {
	if a.o.May == nil {
		return nil
	}
	return a.o.May(ctx, by, service, word)
}

// Run begins an upgrade, or one that went back once more. despite says why it begins
// though something was found that blocks it.
func (a *Acts) Run(ctx context.Context, by continuity.Actor, id string, version int64, despite string) (Kept, error) {
	return a.act(ctx, by, id, version, func(t *turn) error {
		if err := a.may(ctx, by, t.Service, mayBegin); err != nil {
			return err
		}
		if t.State != continuity.UpgradePlanned && t.State != continuity.UpgradeRolled {
			return wrongState(&t.Upgrade)
		}
		if t.Rollbacks >= t.spec.times() {
			return continuity.E(continuity.CodeState, nil, "detail_id", "upgrade.invalid.exhausted", "id", id, "count", t.Rollbacks)
		}
		all, err := a.all(ctx, t.Service)
		if err != nil {
			return err
		}
		for i := range all {
			if k := &all[i]; k.ID != id && !k.Over() && k.State != continuity.UpgradePlanned {
				return continuity.E(continuity.CodeState, nil, "detail_id", "upgrade.invalid.another", "id", k.ID)
			}
		}
		t.Plan, t.Despite, t.Began, t.Ended = t.spec.Plan, words(despite), t.now, time.Time{}
		t.Attempt++
		t.Failure, t.Back, t.Rehearsal, t.Before, t.Baseline, t.Approvals, t.Ticked, t.Sets = nil, nil, nil, nil, nil, nil, nil, nil
		t.Held, t.Moment, t.Released, t.Bake, t.Run, t.Checked, t.Touched = time.Time{}, time.Time{}, time.Time{}, time.Time{}, "", []string{}, false
		t.to("check")
		return nil
	})
}

// Tick says that something that comes first is done.
func (a *Acts) Tick(ctx context.Context, by continuity.Actor, id string, version int64, items []string) (Kept, error) {
	return a.act(ctx, by, id, version, func(t *turn) error {
		if t.State != continuity.UpgradeChecking && t.State != continuity.UpgradeGate {
			return wrongState(&t.Upgrade)
		}
		for _, item := range items {
			if !slices.ContainsFunc(t.spec.Before, func(i Item) bool { return i.ID == item }) {
				return invalid("item", "id", item)
			}
			if !slices.Contains(t.Ticked, item) {
				t.Ticked = append(t.Ticked, item)
				t.mark("upgrade.ticked")
			}
		}
		return nil
	})
}

// Agreement is how much somebody lets be undone. Less than nothing: what the plan says.
type Agreement struct {
	Minutes int
	Records int64
	Note    string
}

// Approve agrees to bringing data back where the upgrade fails, within limits; where a
// person was asked because more than that would be undone, to that. Two people do,
// each once, and no program.
func (a *Acts) Approve(ctx context.Context, by continuity.Actor, id string, version int64, g Agreement) (Kept, error) {
	return a.act(ctx, by, id, version, func(t *turn) error {
		if by.Kind != person {
			return continuity.E(continuity.CodeApproval, nil, "nobody", true)
		}
		if err := a.may(ctx, by, t.Service, mayRestore); err != nil {
			return err
		}
		same := func(other continuity.Actor) bool { return other.Kind == by.Kind && other.ID == by.ID }
		switch {
		case t.State == continuity.UpgradeWaiting && t.Asks != nil && t.Asks.Code == asksLimits:
			if slices.ContainsFunc(t.Back.Beyond, same) {
				return continuity.E(continuity.CodeApproval, nil)
			}
			t.Back.Beyond = append(t.Back.Beyond, by)
		case t.spec.Data.Back != "" && (t.State == continuity.UpgradeChecking || t.State == continuity.UpgradeGate):
			if slices.ContainsFunc(t.Approvals, func(p continuity.UpgradeApproval) bool { return same(p.By) }) {
				return continuity.E(continuity.CodeApproval, nil)
			}
			p := continuity.UpgradeApproval{By: by, At: t.now, Minutes: t.spec.Limits.Minutes, Records: t.spec.Limits.Records, Note: words(g.Note)}
			if g.Minutes >= 0 {
				p.Minutes = min(p.Minutes, g.Minutes)
			}
			if g.Records >= 0 {
				p.Records = min(p.Records, g.Records)
			}
			t.Approvals = append(t.Approvals, p)
		default:
			return wrongState(&t.Upgrade)
		}
		t.mark("upgrade.approved")
		return nil
	})
}

// Abort ends an upgrade: what has been touched goes back.
func (a *Acts) Abort(ctx context.Context, by continuity.Actor, id string, version int64, why, class string) (Kept, error) {
	return a.end(ctx, by, id, version, why, class, false)
}

// Rollback has an upgrade go back that is under way or done; one that waits for a
// person goes back once more.
func (a *Acts) Rollback(ctx context.Context, by continuity.Actor, id string, version int64, why, class string) (Kept, error) {
	return a.end(ctx, by, id, version, why, class, true)
}

func (a *Acts) end(ctx context.Context, by continuity.Actor, id string, version int64, why, class string, back bool) (Kept, error) {
	why, class = words(why), or(class, continuity.UpgradeOperator)
	if why == "" {
		return Kept{}, invalid("why")
	}
	if !slices.Contains([]string{continuity.UpgradeCompatibility, continuity.UpgradeMigration, continuity.UpgradeOperator, continuity.UpgradeSecurity}, class) {
		return Kept{}, invalid("class", "id", class)
	}
	return a.act(ctx, by, id, version, func(t *turn) error {
		t.reason = why
		fault := Problem{Class: class, Data: class == continuity.UpgradeMigration, Reason: continuity.CheckReason{Code: "upgrade.fault.stopped", Args: map[string]any{"by": by.ID, "why": why}}}
		switch {
		case t.Stopping != nil:
			return nil // somebody said so already
		case t.forward(), !back && (t.State == continuity.UpgradeChecking || t.State == continuity.UpgradeGate):
			t.Stopping = &continuity.UpgradeStop{By: by, At: t.now, Why: why, Class: class}
			t.mark("upgrade.stopping")
		case !back && t.State == continuity.UpgradePlanned:
			t.fault("", []Problem{fault})
			t.to("aborted")
		case back && t.State == continuity.UpgradeWaiting && t.Back != nil:
			if err := a.may(ctx, by, t.Service, mayBegin); err != nil {
				return err
			}
			t.Rollbacks++ // a person's word lets there be one more
			t.to("back-halt")
		case back && t.State == continuity.UpgradeDone:
			if err := a.latest(ctx, t); err != nil {
				return err
			}
			if err := a.may(ctx, by, t.Service, mayBegin); err != nil {
				return err
			}
			t.Ended = time.Time{}
			t.back(fault)
			t.record(t.Good)
		default:
			return wrongState(&t.Upgrade)
		}
		return nil
	})
}

// latest refuses to take an upgrade back that another one came after.
func (a *Acts) latest(ctx context.Context, t *turn) error {
	all, err := a.all(ctx, t.Service)
	if err != nil {
		return err
	}
	for i := range all {
		if k := &all[i]; k.ID != t.ID && k.Upgrade.Upgrade == t.Upgrade.Upgrade && k.Began.After(t.Began) {
			return continuity.E(continuity.CodeState, nil, "detail_id", "upgrade.invalid.later", "id", k.ID)
		}
	}
	return nil
}

// Settle says that a person put it right by hand: if it works, requests pass again.
func (a *Acts) Settle(ctx context.Context, by continuity.Actor, id string, version int64, why string) (Kept, error) {
	if why = words(why); why == "" {
		return Kept{}, invalid("why")
	}
	return a.act(ctx, by, id, version, func(t *turn) error {
		if t.State != continuity.UpgradeWaiting {
			return wrongState(&t.Upgrade)
		}
		if err := a.may(ctx, by, t.Service, mayBegin); err != nil {
			return err
		}
		t.reason = why
		t.to("settle")
		return nil
	})
}

// mostWords bounds what people write, in bytes.
const mostWords = 1000

func words(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > mostWords {
		text = strings.ToValidUTF8(text[:mostWords], "")
	}
	return text
}
