package keeping

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// Chooser knows the ways to bring a set back, the best first.
type Chooser interface {
	Choices(ctx context.Context, set Set, moment time.Time) ([]continuity.RestoreChoice, error)
}

// RestoreActsOptions are what RestoreActs need.
type RestoreActsOptions struct {
	Store   Store
	Plans   Plans
	Chooser Chooser
	// Routes are those of a service whose requests may be held.
	Routes func(service string) []string
	// May says whether somebody may decide something of a service: by the plan, or by
	// their role on the node.
	May func(ctx context.Context, by continuity.Actor, service, word string) error
	Now func() time.Time
	// Progress is how far a restore got that this node leads; nil: it leads none.
	Progress func(id string) []Progress
	Copies   Copies
	// Asks is the change by which people are asked who may agree to what somebody wants of
	// a restore, undo or drop; nil: nobody is.
	Asks func(r continuity.Restore, what string, wish continuity.RestoreApproval) continuity.Change
}

// RestoreActs are what people do to bring sets of data back, on any node.
type RestoreActs struct{ o RestoreActsOptions }

// NewRestoreActs makes them.
func NewRestoreActs(o RestoreActsOptions) *RestoreActs {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &RestoreActs{o}
}

// mayRestore is what a role of a plan may that brings data back.
const mayRestore = "restore"

const personKind = "user"

// KeptRestore is a restore with its version.
type KeptRestore struct {
	continuity.Restore

	Version int64
}

// RestoreShown is a restore as people see it.
type RestoreShown struct {
	continuity.Restore

	Age      float64    `json:"age,omitempty"`      // seconds since the newest change of the oldest copy that can be asked
	Progress []Progress `json:"progress,omitempty"` // of what the asked node does at the moment
}

// Show is a restore as people see it now.
func (a *RestoreActs) Show(k *KeptRestore) RestoreShown {
	shown := RestoreShown{Restore: k.Restore}
	for i := range k.Sets {
		if c := k.Sets[i].Copy; c != nil && k.State == continuity.RestoreReady {
			shown.Age = max(shown.Age, a.o.Now().Sub(c.Reached).Seconds())
		}
	}
	if a.o.Progress != nil {
		shown.Progress = a.o.Progress(k.ID)
	}
	return shown
}

func (a *RestoreActs) set(service, id string) (Set, error) {
	sets, _ := a.o.Plans.Sets()
	for i := range sets {
		if sets[i].Service == service && sets[i].ID == id {
			return sets[i], nil
		}
	}
	return Set{}, continuity.E(continuity.CodeNotFound, nil, "detail_id", "keeping.invalid.set", "set", id, "service", service)
}

// Choices are the ways to bring sets of a service back to a moment, or to the newest
// change; the best of each set first. With no sets, all that its plan has.
func (a *RestoreActs) Choices(ctx context.Context, service string, ids []string, moment time.Time) ([]continuity.RestoreChoice, error) {
	if ids = a.scope(service, ids); len(ids) == 0 {
		return nil, continuity.E(continuity.CodeNotFound, nil, "detail_id", "keeping.invalid.sets", "service", service)
	}
	all := []continuity.RestoreChoice{}
	for _, id := range ids {
		set, err := a.set(service, id)
		if err != nil {
			return nil, err
		}
		found, err := a.o.Chooser.Choices(ctx, set, moment)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func (a *RestoreActs) scope(service string, ids []string) []string {
	if len(ids) > 0 {
		return ids
	}
	sets, _ := a.o.Plans.Sets()
	for i := range sets {
		if sets[i].Service == service {
			ids = append(ids, sets[i].ID)
		}
	}
	return ids
}

// Draft is a restore that somebody wants.
type Draft struct {
	ID       string // none: one is made up
	Service  string
	Sets     []string
	Into     string
	Moment   time.Time         // none: the newest
	Fault    time.Time         // when it went wrong; none: the moment, or now
	Pick     map[string]string // a full piece's id by set, in place of the best choice
	Routes   []string          // that are held while copies take their place; none: all of the service
	Incident string
	Why      string
}

// RestoreIDOf is the id of the restore that something of a service begins, always the same
// one.
func RestoreIDOf(service, of string) string {
	sum := sha256.Sum256([]byte(of))
	return service + ".restore-" + hex.EncodeToString(sum[:6])
}

func invalid(what string, pairs ...any) error {
	return continuity.E(continuity.CodeInvalid, nil, append([]any{"detail_id", "keeping.invalid." + what}, pairs...)...)
}

// Propose begins a restore. Copies are made at once, which touches nothing; that they
// take the place of the originals waits for a second person.
func (a *RestoreActs) Propose(ctx context.Context, by continuity.Actor, d Draft) (KeptRestore, error) {
	now := a.o.Now().UTC()
	d.Why = strings.TrimSpace(d.Why)
	switch {
	case d.Why == "":
		return KeptRestore{}, invalid("why")
	case !slices.Contains([]string{continuity.IntoCopy, continuity.IntoBeside, continuity.IntoOver}, d.Into):
		return KeptRestore{}, invalid("into", "into", d.Into)
	case d.Moment.After(now):
		return KeptRestore{}, invalid("moment", "value", d.Moment.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	if d.ID == "" {
		d.ID = d.Service + ".restore-" + strconv.FormatInt(now.UnixMilli(), 36) + strings.ToLower(rand.Text()[:4])
	}
	if err := a.o.May(ctx, by, d.Service, mayRestore); err != nil {
		return KeptRestore{}, err
	}
	d.Sets = a.scope(d.Service, d.Sets)
	choices, err := a.Choices(ctx, d.Service, d.Sets, d.Moment)
	if err != nil {
		return KeptRestore{}, err
	}
	r := continuity.Restore{
		ID: d.ID, Service: d.Service, Into: d.Into,
		Moment: d.Moment.UTC(), Fault: d.Fault.UTC(), Why: d.Why, Incident: d.Incident, By: by, At: now, State: continuity.RestoreRestoring, Since: now,
	}
	if d.Fault.IsZero() {
		if r.Fault = r.Moment; r.Fault.IsZero() {
			r.Fault = now
		}
	}
	for _, id := range d.Sets {
		i := slices.IndexFunc(choices, func(c continuity.RestoreChoice) bool {
			return c.Set == id && (d.Pick[id] == "" || d.Pick[id] == c.Backup)
		})
		if i < 0 {
			return KeptRestore{}, continuity.E(continuity.CodeNotFound, nil, "detail_id", "keeping.invalid.choice", "set", id, "backup", d.Pick[id])
		}
		r.Sets = append(r.Sets, continuity.RestoreSet{Set: id, Choice: choices[i]})
	}
	if d.Into == continuity.IntoOver {
		known := a.o.Routes(d.Service)
		if d.Routes == nil {
			d.Routes = known
		}
		for _, route := range d.Routes {
			if !slices.Contains(known, route) {
				return KeptRestore{}, invalid("route", "route", route, "service", d.Service)
			}
			r.Routes = append(r.Routes, continuity.RestoreRoute{Route: route})
		}
	}
	return a.commit(ctx, by, continuity.VersionNew, "restore.proposed", r.Why, r)
}

func (a *RestoreActs) commit(ctx context.Context, by continuity.Actor, version int64, action, why string, r continuity.Restore, more ...continuity.Change) (KeptRestore, error) {
	changes := []continuity.Change{continuity.Set(continuity.KindRestore, r.ID, r.Service, version, action, strings.TrimSpace(why), r)}
	objects, err := a.o.Store.Commit(ctx, continuity.Batch{Actor: by, Changes: append(changes, more...)})
	if err != nil {
		return KeptRestore{}, err
	}
	return readRestore(objects[0])
}

func readRestore(o continuity.Object) (KeptRestore, error) {
	k := KeptRestore{Version: o.Version}
	return k, json.Unmarshal(o.Body, &k.Restore)
}

// Restore is one of them.
func (a *RestoreActs) Restore(ctx context.Context, id string) (KeptRestore, error) {
	o, err := a.o.Store.Get(ctx, continuity.KindRestore, id)
	if err != nil {
		return KeptRestore{}, err
	}
	return readRestore(o)
}

// Restores are those of a service, or all; with past, those that are over, too.
func (a *RestoreActs) Restores(ctx context.Context, service string, past bool, cursor string, limit int) (page []KeptRestore, next string, err error) {
	page = []KeptRestore{}
	for next = cursor; ; {
		objects, after, err := a.o.Store.List(ctx, continuity.Query{Kind: continuity.KindRestore, Service: service, Cursor: next, Limit: limit})
		if err != nil {
			return nil, "", err
		}
		for _, o := range objects {
			k, err := readRestore(o)
			if err != nil {
				return nil, "", err
			}
			if past || !k.Over() || k.Aside() {
				page = append(page, k)
			}
		}
		if next = after; next == "" || len(page) > 0 {
			return page, next, nil
		}
	}
}

// edit changes a restore that is in one of these states; why is what the person says of it,
// which stays in the audit.
func (a *RestoreActs) edit(ctx context.Context, by continuity.Actor, id string, version int64, action, why string, states []string, change func(*continuity.Restore) error) (KeptRestore, error) {
	k, err := a.Restore(ctx, id)
	if err != nil {
		return KeptRestore{}, err
	}
	if err := a.o.May(ctx, by, k.Service, mayRestore); err != nil {
		return KeptRestore{}, err
	}
	if !slices.Contains(states, k.State) {
		return KeptRestore{}, continuity.E(continuity.CodeState, nil, "detail_id", "keeping.state", "id", id, "state_text", "keeping.restore."+k.State)
	}
	if k.Upgrade != "" && action != "restore.drop" {
		return KeptRestore{}, invalid("of-upgrade", "id", id, "upgrade", k.Upgrade)
	}
	wishes := []*continuity.RestoreApproval{k.Undoing, k.Dropping}
	if err := change(&k.Restore); err != nil {
		return KeptRestore{}, err
	}
	var more []continuity.Change
	for i, wish := range []*continuity.RestoreApproval{k.Undoing, k.Dropping} {
		if wish != nil && wishes[i] == nil && a.o.Asks != nil {
			more = append(more, a.o.Asks(k.Restore, []string{"undo", "drop"}[i], *wish))
		}
	}
	if version == continuity.VersionAny {
		version = k.Version
	}
	return a.commit(ctx, by, version, action, why, k.Restore, more...)
}

// agreed says whether two people want something: the wish of the first one is noted.
func (a *RestoreActs) agreed(by continuity.Actor, wish **continuity.RestoreApproval, why string) (bool, error) {
	switch {
	case by.Kind != personKind:
		return false, continuity.E(continuity.CodeApproval, nil, "nobody", true)
	case *wish == nil:
		*wish = &continuity.RestoreApproval{By: by, At: a.o.Now().UTC(), Note: strings.TrimSpace(why)}
		return false, nil
	case (*wish).By.ID == by.ID:
		return false, continuity.E(continuity.CodeApproval, nil)
	}
	return true, nil
}

func (a *RestoreActs) to(r *continuity.Restore, state string) {
	r.State, r.Since = state, a.o.Now().UTC().Truncate(time.Microsecond)
	r.Tries, r.Trying, r.Again = 0, continuity.CheckReason{}, time.Time{}
}

// Approve is a second person's leave that copies take the place of the originals.
func (a *RestoreActs) Approve(ctx context.Context, by continuity.Actor, id string, version int64, note string) (KeptRestore, error) {
	return a.edit(ctx, by, id, version, "restore.approved", note, []string{continuity.RestoreRestoring, continuity.RestoreReady}, func(r *continuity.Restore) error {
		switch {
		case r.Into != continuity.IntoOver:
			return invalid("approval-needless", "id", r.ID)
		case by.Kind != personKind:
			return continuity.E(continuity.CodeApproval, nil, "nobody", true)
		case by.ID == r.By.ID:
			return continuity.E(continuity.CodeApproval, nil)
		}
		r.Approved = &continuity.RestoreApproval{By: by, At: a.o.Now().UTC(), Note: strings.TrimSpace(note)}
		return nil
	})
}

// Switch has copies take the place of the originals. Copies that are not what was
// recorded do so only with a reason.
func (a *RestoreActs) Switch(ctx context.Context, by continuity.Actor, id string, version int64, despite string) (KeptRestore, error) {
	return a.edit(ctx, by, id, version, "restore.switch", despite, []string{continuity.RestoreReady}, func(r *continuity.Restore) error {
		if r.Into != continuity.IntoOver {
			return invalid("switch-copy", "id", r.ID)
		}
		if r.Approved == nil {
			return continuity.E(continuity.CodeApproval, nil)
		}
		var differ []string
		for i := range r.Sets {
			if c := r.Sets[i].Copy; c == nil || !c.Good {
				differ = append(differ, r.Sets[i].Set)
			}
		}
		if len(differ) > 0 && strings.TrimSpace(despite) == "" {
			return continuity.E(continuity.CodeState, nil, "detail_id", "keeping.invalid.differs", "sets", strings.Join(differ, ", "))
		}
		// Who agreed before there was anything to look at did not agree to that.
		if len(differ) > 0 && r.Approved.At.Before(r.Readied) {
			return continuity.E(continuity.CodeApproval, nil)
		}
		a.to(r, continuity.RestoreHolding)
		return nil
	})
}

// Skip goes on though what reached the originals since can't be delivered again.
func (a *RestoreActs) Skip(ctx context.Context, by continuity.Actor, id string, version int64, why string) (KeptRestore, error) {
	return a.edit(ctx, by, id, version, "restore.skipped", why, []string{continuity.RestoreRedelivering}, func(r *continuity.Restore) error {
		if why = strings.TrimSpace(why); why == "" {
			return invalid("why")
		}
		r.Skipped, r.SkippedBy = why, &by
		a.to(r, continuity.RestoreRedelivering)
		return nil
	})
}

// Undo puts the originals back in the place of copies. Once requests went on it takes two
// people, as putting the copies there did: what came since is not in the originals.
func (a *RestoreActs) Undo(ctx context.Context, by continuity.Actor, id string, version int64, why string) (KeptRestore, error) {
	return a.edit(ctx, by, id, version, "restore.undo", why, []string{continuity.RestoreSwitching, continuity.RestoreRedelivering, continuity.RestoreDraining, continuity.RestoreDone}, func(r *continuity.Restore) error {
		if strings.TrimSpace(why) == "" {
			return invalid("why")
		}
		if r.WentOn() {
			if agreed, err := a.agreed(by, &r.Undoing, why); !agreed {
				return err
			}
		}
		a.to(r, continuity.RestoreUndoing)
		return nil
	})
}

// Drop removes copies, or, once they took the place of the originals, these: one person
// wants that, and it is done when a second one wants it, too.
func (a *RestoreActs) Drop(ctx context.Context, by continuity.Actor, id string, version int64) (KeptRestore, error) {
	return a.edit(ctx, by, id, version, "restore.drop", "", []string{continuity.RestoreRestoring, continuity.RestoreReady, continuity.RestoreDone, continuity.RestoreUndone}, func(r *continuity.Restore) error {
		if r.State == continuity.RestoreDone {
			if agreed, err := a.agreed(by, &r.Dropping, ""); !agreed {
				return err
			}
		}
		a.to(r, continuity.RestoreDropping)
		return nil
	})
}

// OfUpgrade writes down that an upgrade on its way back prepared copies of sets or, once
// they are switched, put them in the place of the originals, so that what is beside them
// is seen and can be removed. Done again it changes nothing.
func (a *RestoreActs) OfUpgrade(ctx context.Context, by continuity.Actor, r continuity.Restore, switched bool) error {
	now := a.o.Now().UTC().Truncate(time.Microsecond)
	k, err := a.Restore(ctx, r.ID)
	switch {
	case continuity.CodeOf(err) == continuity.CodeNotFound:
		k = KeptRestore{Restore: r, Version: continuity.VersionNew}
		k.Into, k.By, k.At, k.State, k.Since, k.Readied = continuity.IntoOver, by, now, continuity.RestoreReady, now, now
	case err != nil || !switched || k.State != continuity.RestoreReady:
		return err
	}
	action := "restore." + k.State
	if switched {
		k.State, k.Since, k.Switched, k.Ended = continuity.RestoreDone, now, now, now
		k.AsideUntil = AsideUntil(a.o.Plans, &k.Restore, now)
		action = "restore." + k.State
	}
	_, err = a.commit(ctx, by, k.Version, action, "", k.Restore)
	return err
}
