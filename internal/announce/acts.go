package announce

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// Store is where state is kept.
type Store interface {
	Commit(context.Context, continuity.Batch) ([]continuity.Object, error)
	Get(ctx context.Context, kind, id string) (continuity.Object, error)
	List(context.Context, continuity.Query) ([]continuity.Object, string, error)
}

// Acts are what people say, on any node.
type Acts struct {
	store Store
	plans Plans
	now   func() time.Time
}

// NewActs makes them.
func NewActs(store Store, plans Plans, now func() time.Time) *Acts { return &Acts{store, plans, now} }

// Who is who does something. Chief is somebody whom the node lets publish whatever
// the plan says.
type Who struct {
	Actor continuity.Actor
	Chief bool
}

func (w *Who) may(r *Rules, i *continuity.Incident) bool {
	return w.Chief || r.Anybody || slices.Contains(r.publishers(i), w.Actor.ID)
}

func (w *Who) refused() error {
	return continuity.E(continuity.CodeScope, nil, "name", w.Actor.ID, "may", May)
}

// person is the kind of actors that can be held to their word: not a token that
// several may know.
const person = "user"

// Draft is what somebody wants an audience told.
type Draft struct {
	Audience string
	Phase    string // empty: as fits
	Template string // by id; empty: that of the audience and phase, unless there is a text
	Text     continuity.Text
	Subject  continuity.Text
	Status   continuity.Text   // what a template says for {status}
	Vars     map[string]string // further fields of a template
	Expected time.Time         // empty: as the incident says
	Next     time.Time         // empty: as the incident says, or as often as the grade does
	Preview  bool              // nothing is sent
	Lone     bool              // in one language alone, though the audience is told in two
}

// Kept is an update with its version; 0: a preview.
type Kept struct {
	continuity.Update

	Version int64
}

// Cursor tells updates apart, in their order.
func (k *Kept) Cursor() string { return fmt.Sprintf("%020d-%s", k.At.UnixNano(), k.ID) }

func invalid(what string, pairs ...any) error {
	return continuity.E(continuity.CodeInvalid, nil, append([]any{"detail_id", "announce.invalid." + what}, pairs...)...)
}

// tries bounds how often an act is begun anew where an engine wrote meanwhile.
const tries = 20

// Say sends words to an audience, or has them approved first.
func (a *Acts) Say(ctx context.Context, who Who, incident string, d Draft) (k Kept, err error) {
	for range tries {
		if k, err = a.say(ctx, who, incident, d); continuity.CodeOf(err) != continuity.CodeVersion {
			return k, err
		}
	}
	return k, err
}

func (a *Acts) say(ctx context.Context, who Who, incident string, d Draft) (k Kept, err error) {
	now := a.now().UTC()
	i, version, rules, err := a.incident(ctx, incident, now)
	if err != nil {
		return k, err
	}
	clocks, err := a.clocks(ctx, i.Exercise)
	if err != nil {
		return k, err
	}
	at := clocks.At(i.Exercise, now)
	audience, ok := rules.audience(d.Audience)
	if !ok {
		return k, invalid("audience", "id", d.Audience, "words", names(rules.Audiences))
	}
	i.Number++
	u := continuity.Update{
		ID: i.ID + ".update-" + strconv.Itoa(i.Number), About: i.ID, Service: i.Service, Audience: audience.ID, Expected: d.Expected, Next: d.Next,
		By: who.Actor, At: now, Exercise: i.Exercise,
	}
	if i.Exercise != "" {
		u.Shown = at
	}
	if err := a.phrase(&u, &i, audience, rules, d, at); err != nil {
		return k, err
	}
	if d.Preview {
		return Kept{Update: u}, nil
	}
	var changes []continuity.Change
	switch {
	case approved(i.Grade):
		u.State = continuity.UpdateDraft
		changes = append(changes, continuity.Set(continuity.KindUpdate, u.ID, u.Service, continuity.VersionNew, "update.written", "", &u))
	case !who.may(rules, &i):
		return k, who.refused()
	default:
		changes = send(&i, audience, &u, continuity.VersionNew, now, at, "update.sent")
	}
	i.Shown = u.Shown
	changes = append(changes, continuity.Set(continuity.KindIncident, i.ID, i.Service, version, "words.told", "", &i))
	objects, err := a.store.Commit(ctx, continuity.Batch{Actor: who.Actor, Changes: changes})
	return keptIn(u, objects, err)
}

// ended reports whether an incident is over.
func ended(i *continuity.Incident) bool {
	return i.State == continuity.Resolved || i.State == continuity.Closed
}

// outrun reports whether an incident ended while an update that says that it stands was
// waiting: the audience has had its last word. What the law wants to be told is told
// all the same.
func outrun(i *continuity.Incident, a *Audience, u *continuity.Update) bool {
	return ended(i) && u.Phase != PhaseAllClear && a.Clock <= 0
}

// phrase puts an update into words, and refuses what doesn't say what it must.
func (a *Acts) phrase(u *continuity.Update, i *continuity.Incident, to *Audience, rules *Rules, d Draft, at time.Time) error {
	ended := ended(i)
	word, told := i.Public[to.ID]
	u.Phase = d.Phase
	if u.Phase == "" {
		switch {
		case ended:
			u.Phase = PhaseAllClear
		case told && word.Phase != PhaseAllClear:
			u.Phase = PhaseUpdate
		default:
			u.Phase = PhaseFirst
		}
	}
	if u.Phase == PhaseAllClear && !ended {
		return invalid("all-clear")
	}
	if u.Expected.IsZero() && !ended {
		u.Expected = i.Expected
	}
	if u.Next.IsZero() && u.Phase != PhaseAllClear && !ended {
		u.Next = following(i, rules.grade(i.Grade), at)
	}
	for _, when := range []time.Time{d.Next, d.Expected} {
		if !when.IsZero() && !when.After(at) {
			return invalid("past")
		}
	}
	v := ofIncident(rules, i, to, saying{status: d.Status, expected: u.Expected, next: u.Next, vars: d.Vars})
	if d.Text != (continuity.Text{}) {
		if d.Template != "" {
			return invalid("both")
		}
		if missing := lacks(d.Text, u.Phase, v); missing != nil {
			return invalid("lacks", "words", strings.Join(missing, ", "))
		}
		langs := rules.languages(to)
		if err := cmp.Or(d.speaks(langs, to, "--text", d.Text), d.speaks(langs, to, "--subject", d.Subject)); err != nil {
			return err
		}
		text, missing := d.Text.Fill(v)
		subject, more := d.Subject.Fill(v)
		if missing = append(missing, more...); len(missing) > 0 {
			return invalid("fields", "words", strings.Join(missing, ", "))
		}
		u.Subject, u.Text = subject, text
		return nil
	}
	if u.Phase == PhaseAllClear && i.Unrestored() {
		return invalid("unrestored", "id", i.ID)
	}
	name := d.Template
	if name == "" {
		name = to.Kind + "/" + u.Phase
	}
	template, ok := rules.Find(name)
	if d.Status != (continuity.Text{}) && !template.says("status") {
		if d.Template != "" {
			return invalid("status", "id", template.ID)
		}
		// A first word of the plan has no room for news: that of a further one has.
		if template, ok = rules.Find(to.Kind + "/" + PhaseUpdate); !ok || !template.says("status") {
			return invalid("status", "id", name)
		}
	}
	if !ok {
		return invalid("template", "id", name)
	}
	if err := d.speaks(template.languages(), to, "--status", d.Status); err != nil {
		return err
	}
	subject, text, missing := compose(&template, v)
	if len(missing) > 0 {
		return invalid("fields", "words", strings.Join(missing, ", "))
	}
	if d.Phase == "" && d.Template != "" {
		u.Phase = template.Phase
	}
	u.Template, u.Vars, u.Subject, u.Text = template.ID, v, subject, text
	return nil
}

// speaks tells whoever writes that what they say is missing in a language in which the
// audience is told, before anybody reads the other one in its place.
func (d *Draft) speaks(langs []catalogue.Lang, to *Audience, flag string, text continuity.Text) error {
	if d.Lone || text == (continuity.Text{}) {
		return nil
	}
	for _, lang := range langs {
		if own(text, lang) != "" {
			continue
		}
		if lang == catalogue.Zh {
			flag += "-zh"
		}
		return invalid("language", "id", to.ID, "language", string(lang), "flag", flag)
	}
	return nil
}

// Approve sends an update that waits for it: by somebody else than who wrote it, who
// may publish.
func (a *Acts) Approve(ctx context.Context, who Who, id string, version int64) (k Kept, err error) {
	for range tries {
		k, err = a.approve(ctx, who, id, version)
		if continuity.CodeOf(err) != continuity.CodeVersion || version != continuity.VersionAny && version != k.Version {
			return k, err
		}
	}
	return k, err
}

func (a *Acts) approve(ctx context.Context, who Who, id string, version int64) (Kept, error) {
	now := a.now().UTC()
	k, rules, err := a.draft(ctx, who, id, version, now)
	if err != nil {
		return k, err
	}
	if k.By.ID == who.Actor.ID {
		return k, continuity.E(continuity.CodeApproval, nil)
	}
	i, incidentAt, _, err := a.incident(ctx, k.About, now)
	if err != nil {
		return k, err
	}
	clocks, err := a.clocks(ctx, i.Exercise)
	if err != nil {
		return k, err
	}
	at := clocks.At(i.Exercise, now)
	audience, ok := rules.audience(k.Audience)
	if !ok {
		return k, invalid("audience", "id", k.Audience, "words", names(rules.Audiences))
	}
	switch {
	case !k.Next.IsZero() && !k.Next.After(at):
		return k, invalid("stale")
	case outrun(&i, audience, &k.Update):
		return k, invalid("over")
	case k.Phase == PhaseAllClear && !ended(&i):
		return k, invalid("all-clear")
	}
	u := k.Update
	u.Approved = &who.Actor
	if i.Exercise != "" {
		u.Shown = at
	}
	changes := send(&i, audience, &u, k.Version, now, at, "update.approved")
	i.Shown = u.Shown
	changes = append(changes, continuity.Set(continuity.KindIncident, i.ID, i.Service, incidentAt, "words.told", "", &i))
	if changes, err = a.answered(ctx, who, &u, now, changes); err != nil {
		return k, err
	}
	objects, err := a.store.Commit(ctx, continuity.Batch{Actor: who.Actor, Changes: changes})
	if err != nil {
		return k, err
	}
	return keptIn(u, objects, nil)
}

// Reject says that an update is not sent, and why.
func (a *Acts) Reject(ctx context.Context, who Who, id string, version int64, reason string) (Kept, error) {
	if strings.TrimSpace(reason) == "" {
		return Kept{}, invalid("reason")
	}
	now := a.now().UTC()
	k, _, err := a.draft(ctx, who, id, version, now)
	if err != nil {
		return k, err
	}
	u := k.Update
	clocks, err := a.clocks(ctx, u.Exercise)
	if err != nil {
		return k, err
	}
	u.State, u.Reason, u.Due, u.Shown = continuity.UpdateRejected, reason, time.Time{}, clocks.Shown(u.Exercise, now)
	change := continuity.Set(continuity.KindUpdate, u.ID, u.Service, k.Version, "update.rejected", "", &u)
	change.Reason = reason
	changes, err := a.answered(ctx, who, &u, now, []continuity.Change{change})
	if err != nil {
		return k, err
	}
	objects, err := a.store.Commit(ctx, continuity.Batch{Actor: who.Actor, Changes: changes})
	return keptIn(u, objects, err)
}

// draft is an update that waits, for somebody who may say what becomes of it: who
// wrote it may take it back, and is told of approving elsewhere.
func (a *Acts) draft(ctx context.Context, who Who, id string, version int64, now time.Time) (Kept, *Rules, error) {
	k, err := a.Get(ctx, id)
	if err != nil {
		return k, nil, err
	}
	if version != continuity.VersionAny && version != k.Version {
		return k, nil, continuity.E(continuity.CodeVersion, nil, "kind", continuity.KindUpdate, "id", id, "version", k.Version)
	}
	if k.State != continuity.UpdateDraft {
		return k, nil, continuity.E(continuity.CodeState, nil, "detail_id", "announce.over", "id", id)
	}
	if who.Actor.Kind != person {
		return k, nil, continuity.E(continuity.CodeApproval, nil, "nobody", true)
	}
	rules, ok := a.plans.Of(k.Service, now)
	if !ok {
		return k, nil, continuity.E(continuity.CodeStarting, nil, "control", true)
	}
	var i continuity.Incident
	if o, err := a.store.Get(ctx, continuity.KindIncident, k.About); err != nil {
		return k, nil, err
	} else if err := json.Unmarshal(o.Body, &i); err != nil {
		return k, nil, err
	}
	if who.Actor.ID != k.By.ID && !who.may(rules, &i) {
		return k, nil, who.refused()
	}
	return k, rules, nil
}

// answered ends the pages that asked for the approval: it is there, or not wanted.
func (a *Acts) answered(ctx context.Context, who Who, u *continuity.Update, now time.Time, changes []continuity.Change) ([]continuity.Change, error) {
	pages := []string{stuckID(u.ID)}
	for n := range u.Asked {
		pages = append(pages, askID(u.ID, n+1))
	}
	for _, id := range pages {
		o, err := a.store.Get(ctx, continuity.KindNotification, id)
		if continuity.CodeOf(err) == continuity.CodeNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		var note continuity.Notification
		if err := json.Unmarshal(o.Body, &note); err != nil {
			return nil, err
		}
		if note.Over() {
			continue
		}
		note.State, note.AckBy, note.AckAt, note.Since, note.Ended, note.Shown = continuity.NotifyAcknowledged, &who.Actor, now, now, now, u.Shown
		changes = append(changes, continuity.Set(continuity.KindNotification, note.ID, note.Service, o.Version, "notification.acknowledged", "", &note))
	}
	return changes, nil
}

// Get returns one update.
func (a *Acts) Get(ctx context.Context, id string) (Kept, error) {
	o, err := a.store.Get(ctx, continuity.KindUpdate, id)
	if err != nil {
		return Kept{}, err
	}
	k := Kept{Version: o.Version}
	return k, json.Unmarshal(o.Body, &k.Update)
}

// List returns the updates of an incident, the oldest first.
func (a *Acts) List(ctx context.Context, incident string) ([]Kept, error) {
	o, err := a.store.Get(ctx, continuity.KindIncident, incident)
	if err != nil {
		return nil, err
	}
	all := []Kept{}
	for cursor := ""; ; {
		page, next, err := a.store.List(ctx, continuity.Query{Kind: continuity.KindUpdate, Service: o.Service, Cursor: cursor, Limit: 1000})
		if err != nil {
			return nil, err
		}
		for _, o := range page {
			k := Kept{Version: o.Version}
			if err := json.Unmarshal(o.Body, &k.Update); err != nil {
				return nil, err
			}
			if k.About == incident {
				all = append(all, k)
			}
		}
		if cursor = next; cursor == "" {
			slices.SortFunc(all, func(x, y Kept) int { return cmp.Compare(x.Cursor(), y.Cursor()) })
			return all, nil
		}
	}
}

// incident is one that somebody may still be told of.
func (a *Acts) incident(ctx context.Context, id string, now time.Time) (i continuity.Incident, version int64, r *Rules, err error) {
	o, err := a.store.Get(ctx, continuity.KindIncident, id)
	if err != nil {
		return i, 0, nil, err
	}
	if err := json.Unmarshal(o.Body, &i); err != nil {
		return i, 0, nil, err
	}
	if i.State == continuity.Merged {
		return i, 0, nil, continuity.E(continuity.CodeState, nil, "detail_id", "announce.merged", "id", id, "into", i.Into)
	}
	i.Public = maps.Clone(i.Public)
	r, ok := a.plans.Of(i.Service, now)
	if !ok {
		return i, 0, nil, continuity.E(continuity.CodeStarting, nil, "control", true)
	}
	return i, o.Version, r, nil
}

// clocks knows the clock of one exercise.
func (a *Acts) clocks(ctx context.Context, exercise string) (continuity.Clocks, error) {
	clocks := continuity.Clocks{}
	if exercise == "" {
		return clocks, nil
	}
	o, err := a.store.Get(ctx, continuity.KindExercise, exercise)
	if continuity.CodeOf(err) == continuity.CodeNotFound {
		return clocks, nil
	}
	if err != nil {
		return nil, err
	}
	return clocks, clocks.Take(exercise, o.Body)
}

func names(all []Audience) string {
	ids := make([]string, len(all))
	for i := range all {
		ids[i] = all[i].ID
	}
	return strings.Join(ids, ", ")
}

func keptIn(u continuity.Update, objects []continuity.Object, err error) (Kept, error) {
	k := Kept{Update: u}
	for _, o := range objects {
		if o.Kind == continuity.KindUpdate && o.ID == u.ID {
			k.Version = o.Version
		}
	}
	return k, err
}
