package incident

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// add puts an object below an incident that is not closed.
func add[T any](a *Acts, ctx context.Context, by By, id, kind, action string, make func(e *editing, id string) (T, error)) (v T, err error) {
	_, err = a.edit(ctx, by, id, continuity.VersionAny, "noted", "", func(e *editing) error {
		if e.Incident.State == continuity.Merged || e.Incident.State == continuity.Closed {
			return refused("over", "id", id, "state", e.Incident.State)
		}
		e.Number++
		below := below(id, kind, e.Number)
		var err error
		if v, err = make(e, below); err != nil {
			return err
		}
		e.more = append([]continuity.Change{continuity.Set(kind, below, e.Service, continuity.VersionNew, action, "", v)}, e.more...)
		return nil
	})
	return v, err
}

// most bounds what somebody writes.
const most = 4000

// wrote refuses a text that is none, or too long.
func wrote(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" || len([]rune(text)) > most {
		return "", invalid("text", "most", most)
	}
	return text, nil
}

// Assign gives somebody, or whoever has a role, a task; they are told.
func (a *Acts) Assign(ctx context.Context, by By, id, text, owner string, due time.Time) (continuity.Task, error) {
	return add(a, ctx, by, id, continuity.KindTask, "task.assigned", func(e *editing, below string) (t continuity.Task, err error) {
		if text, err = wrote(text); err != nil {
			return t, err
		}
		if owner == "" {
			owner = by.Actor.ID
		}
		if _, role := e.rules.Roles[owner]; !role {
			if err := e.known(owner); err != nil {
				return t, err
			}
		}
		if !due.IsZero() && due.Before(e.time) {
			return t, invalid("due", "value", due.UTC().Format("2006-01-02 15:04 UTC"), "exercise", e.Exercise)
		}
		t = continuity.Task{
			ID: below, Incident: id, Service: e.Service, Text: text, Owner: owner, Due: due.UTC(), State: continuity.TaskOpen, By: by.Actor, At: e.now,
			Exercise: e.Exercise, Shown: e.shown,
		}
		if due.IsZero() {
			t.Due = time.Time{}
		}
		if owner == by.Actor.ID {
			return t, nil
		}
		n := continuity.Notification{Urgency: continuity.UrgencyNotice, To: []continuity.Recipient{whoever(e.rules, &e.Incident, owner)}}
		if rank(e.Incident.Grade) >= rank("SEV-2") {
			n.Urgency, n.Escalate = continuity.UrgencyPage, commander(e.rules, &e.Incident)
		}
		e.tell(n, "task", func(lang catalogue.Lang) catalogue.Args {
			args := catalogue.Args{"task": below, "text": text, "by": by.Actor.ID, "due": ""}
			if !t.Due.IsZero() {
				args["due"] = t.Due.Format("2006-01-02 15:04 UTC")
			}
			return args
		})
		return t, nil
	})
}

// Finish says that a task was done, or, with a reason, that it is not needed.
func (a *Acts) Finish(ctx context.Context, by By, id string, dropped bool, reason string) (t continuity.Task, err error) {
	reason = strings.TrimSpace(reason)
	if dropped && reason == "" {
		return t, invalid("why")
	}
	var last error
	for range tries {
		o, err := a.store.Get(ctx, continuity.KindTask, id)
		if err == nil {
			err = json.Unmarshal(o.Body, &t)
		}
		if err != nil {
			return t, err
		}
		if t.State != continuity.TaskOpen {
			return t, refused("task", "id", id, "state", t.State)
		}
		action, now := "task.done", a.now().UTC()
		if t.Shown, err = a.shown(ctx, t.Exercise, now); err != nil {
			return t, err
		}
		t.State, t.Reason, t.Ended = continuity.TaskDone, reason, now
		if dropped {
			action, t.State = "task.dropped", continuity.TaskDropped
		}
		_, last = a.store.Commit(ctx, continuity.Batch{Actor: by.Actor, Changes: []continuity.Change{
			continuity.Set(continuity.KindTask, id, t.Service, o.Version, action, reason, t),
		}})
		if continuity.CodeOf(last) != continuity.CodeVersion {
			return t, last
		}
	}
	return t, last
}

// Decide writes down what was decided, and why.
func (a *Acts) Decide(ctx context.Context, by By, id, text, why string) (continuity.Decision, error) {
	return add(a, ctx, by, id, continuity.KindDecision, "decision.taken", func(e *editing, below string) (d continuity.Decision, err error) {
		if text, err = wrote(text); err != nil {
			return d, err
		}
		if why, err = wrote(why); err != nil {
			return d, invalid("why")
		}
		if err := takesPart(e.rules, &e.Incident, by); err != nil {
			return d, err
		}
		return continuity.Decision{ID: below, Incident: id, Service: e.Service, Text: text, Why: why, By: by.Actor, At: e.now, Shown: e.shown}, nil
	})
}

// Report writes down a report of conditions, actions and needs.
func (a *Acts) Report(ctx context.Context, by By, id string, s continuity.Situation) (continuity.Situation, error) {
	return add(a, ctx, by, id, continuity.KindSituation, "situation.reported", func(e *editing, below string) (_ continuity.Situation, err error) {
		if s.Conditions, err = wrote(s.Conditions); err != nil {
			return s, err
		}
		s.ID, s.Incident, s.Service, s.By, s.At, s.Shown = below, id, e.Service, by.Actor, e.now, e.shown
		if s.Needs = strings.TrimSpace(s.Needs); s.Needs != "" && e.Stands() {
			e.tell(continuity.Notification{Urgency: continuity.UrgencyNotice, To: commander(e.rules, &e.Incident)}, "needs", func(catalogue.Lang) catalogue.Args {
				return catalogue.Args{"by": by.Actor.ID, "needs": s.Needs, "conditions": s.Conditions}
			})
		}
		return s, nil
	})
}

// Use writes down that a resource was taken.
func (a *Acts) Use(ctx context.Context, by By, id, resource string, count int, text string) (continuity.Used, error) {
	return add(a, ctx, by, id, continuity.KindResource, "resource.used", func(e *editing, below string) (u continuity.Used, err error) {
		if resource, err = wrote(resource); err != nil {
			return u, err
		}
		if count < 1 {
			return u, invalid("count")
		}
		return continuity.Used{ID: below, Incident: id, Service: e.Service, Resource: resource, Count: count, Text: strings.TrimSpace(text), By: by.Actor, At: e.now, Shown: e.shown}, nil
	})
}

// Note writes something down.
func (a *Acts) Note(ctx context.Context, by By, id, text string) (continuity.Note, error) {
	return add(a, ctx, by, id, continuity.KindNote, "note.written", func(e *editing, below string) (n continuity.Note, err error) {
		if text, err = wrote(text); err != nil {
			return n, err
		}
		return continuity.Note{ID: below, Incident: id, Service: e.Service, Text: text, By: by.Actor, At: e.now, Shown: e.shown}, nil
	})
}

// Below are the objects of one kind below an incident, in their order.
func Below[T any](ctx context.Context, a *Acts, id, kind string) (all []T, err error) {
	k, err := a.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	all = []T{}
	for n := 1; n <= k.Number; n++ {
		o, err := a.store.Get(ctx, kind, below(id, kind, n))
		if continuity.CodeOf(err) == continuity.CodeNotFound {
			continue
		}
		var v T
		if err == nil {
			err = json.Unmarshal(o.Body, &v)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}
