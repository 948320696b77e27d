package incident

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// TimelineEntry is one line of the account of an incident.
type TimelineEntry struct {
	Seq    int64                      `json:"seq"`
	At     time.Time                  `json:"at"`
	Shown  time.Time                  `json:"shown_at,omitzero"` // what the clock of its exercise showed
	Actor  continuity.Actor           `json:"actor"`
	Action string                     `json:"action"` // incident.declared, task.done, warning.opened ...
	Kind   string                     `json:"kind"`
	ID     string                     `json:"id"`
	State  string                     `json:"state,omitempty"`
	Text   continuity.Text            `json:"text,omitzero"` // what it is about, in the words of whoever wrote it
	Reason string                     `json:"reason,omitempty"`
	Roles  []RoleLine                 `json:"roles,omitempty"`  // that passed to somebody, or were asked for
	People []string                   `json:"people,omitempty"` // whom else it concerns: a task's owner, who is told, who acknowledged
	Told   []string                   `json:"told,omitempty"`   // roles, teams, audiences that are told: role/commander
	Step   string                     `json:"step,omitempty"`   // of a run
	Why    continuity.CheckReason     `json:"why,omitzero"`     // why a step or a check is as it is
	Names  map[string]continuity.Text `json:"names,omitempty"`  // of the people in it
	Erased bool                       `json:"erased,omitempty"` // its words were erased for a person's sake
}

// RoleLine is what became of one role of an incident.
type RoleLine struct {
	Role   string          `json:"role"`
	Name   continuity.Text `json:"name,omitzero"`
	Person string          `json:"person,omitempty"`
	State  string          `json:"state"`
}

type roleNames = map[string]Role

// Cursor tells entries apart, in their order.
func (e *TimelineEntry) Cursor() string { return fmt.Sprintf("%020d-%020d", e.At.UnixNano(), e.Seq) }

// Named are the people whom an entry names.
func (e *TimelineEntry) Named() (all []string) {
	if e.Actor.Kind == "user" {
		all = append(all, e.Actor.ID)
	}
	for _, r := range e.Roles {
		if r.Person != "" {
			all = append(all, r.Person)
		}
	}
	return append(all, e.People...)
}

// entryOf is what an event says.
func entryOf(ev *continuity.AuditEvent, roles roleNames) TimelineEntry {
	e := TimelineEntry{Seq: ev.Seq, At: ev.At, Actor: ev.Actor, Action: ev.Action, Kind: ev.Kind, ID: ev.ID, Reason: ev.Reason, Erased: ev.Erased}
	body := ev.After
	if body == nil {
		body = ev.Before
	}
	var b struct {
		Shown      time.Time       `json:"shown_at"`
		State      string          `json:"state"`
		Level      string          `json:"level"`
		Mode       string          `json:"mode"`
		Grade      string          `json:"grade"`
		Text       json.RawMessage `json:"text"`
		Subject    continuity.Text `json:"subject"`
		Title      json.RawMessage `json:"title"`
		Conditions string          `json:"conditions"`
		Actions    string          `json:"actions"`
		Needs      string          `json:"needs"`
		Resource   string          `json:"resource"`
		Runbook    string          `json:"runbook"`
		What       string          `json:"what"`
		Why        json.RawMessage `json:"why"`
	}
	if body == nil || json.Unmarshal(body, &b) != nil {
		return e
	}
	e.Shown, e.State = b.Shown, cmp.Or(b.Mode, b.State)
	if ev.Kind == kindWarning {
		e.State = cmp.Or(b.Level, b.State)
	}
	switch ev.Kind {
	case continuity.KindIncident:
		e.State = b.Grade + " " + b.State
		e.passed(ev, roles)
	case continuity.KindRun:
		e.stepped(body)
	case continuity.KindTask, continuity.KindDecision, continuity.KindResource, continuity.KindUpdate, continuity.KindNotification, continuity.ObjectCheck, continuity.KindSilence:
		e.concerns(ev.Kind, body)
	}
	switch {
	case b.Conditions != "":
		e.Text.En = strings.Join(slices.DeleteFunc([]string{b.Conditions, b.Actions, b.Needs}, func(s string) bool { return s == "" }), " / ")
	case b.Resource != "":
		e.Text.En = b.Resource
	case b.Runbook != "":
		e.Text.En = b.Runbook
	case b.Subject != (continuity.Text{}):
		e.Text = b.Subject
	default:
		for _, raw := range []json.RawMessage{b.Title, b.Text} {
			if e.Text == (continuity.Text{}) && raw != nil && json.Unmarshal(raw, &e.Text) != nil {
				_ = json.Unmarshal(raw, &e.Text.En) // or one text for all
			}
		}
		if e.Text == (continuity.Text{}) {
			e.Text.En = b.What
		}
		var why []string
		if ev.Kind == continuity.KindRoute && json.Unmarshal(b.Why, &why) == nil {
			e.Text.En = strings.Join(why, " / ")
		}
	}
	return e
}

// passed notes what became of an incident's roles. What the engine wrote of them as the
// reason is left out then.
func (e *TimelineEntry) passed(ev *continuity.AuditEvent, names roleNames) {
	var before, after struct {
		Roles map[string]continuity.Holder `json:"roles"`
	}
	if ev.Before != nil && json.Unmarshal(ev.Before, &before) != nil || json.Unmarshal(ev.After, &after) != nil {
		return
	}
	for _, id := range sortedKeys(after.Roles) {
		if h, was := after.Roles[id], before.Roles[id]; h.Person != was.Person || h.State != was.State {
			e.Roles = append(e.Roles, RoleLine{Role: id, Name: names[id].Name, Person: h.Person, State: h.State})
		}
	}
	if len(e.Roles) == 0 || ev.Actor.Kind != continuity.ActorEngine {
		return
	}
	parts := strings.Split(ev.Action[strings.Index(ev.Action, ".")+1:]+" "+ev.Reason, "; ")
	ours := slices.DeleteFunc(parts[1:], aboutRole)
	if first := parts[:1]; !aboutRole(first[0]) {
		_, reason, _ := strings.Cut(first[0], " ")
		ours = append([]string{reason}, ours...)
	}
	e.Reason = strings.Join(slices.DeleteFunc(ours, func(s string) bool { return s == "" }), "; ")
}

// aboutRole reports whether a mark of the engine says what became of a role.
func aboutRole(mark string) bool {
	what, _, _ := strings.Cut(mark, " ")
	return what == "asked" || what == "deputy" || what == "took" || what == "role-open"
}

// stepped notes the step of a run that an event is about.
func (e *TimelineEntry) stepped(body json.RawMessage) {
	var run continuity.Run
	if json.Unmarshal(body, &run) != nil || run.Step == "" || !strings.HasPrefix(e.Action, "run.step") {
		if e.Reason == "" && run.Over() {
			e.Reason = run.Reason
		}
		return
	}
	i := slices.IndexFunc(run.Steps, func(s continuity.StepRun) bool { return s.ID == run.Step })
	if i < 0 {
		return
	}
	s := &run.Steps[i]
	e.Step, e.State, e.Why = s.ID, s.State, s.Reason
	e.Reason = cmp.Or(e.Reason, s.Note)
	if s.By != nil && s.By.Kind == "user" && s.By.ID != e.Actor.ID {
		e.People = append(e.People, s.By.ID)
	}
}

// concerns notes whom something concerns, and why it is so.
func (e *TimelineEntry) concerns(kind string, body json.RawMessage) {
	var b struct {
		Owner    string                 `json:"owner"`
		Audience string                 `json:"audience"`
		Asked    []string               `json:"asked"`
		To       []continuity.Recipient `json:"to"`
		State    string                 `json:"state"`
		AckBy    *continuity.Actor      `json:"ack_by"`
		Reason   json.RawMessage        `json:"reason"`
		Why      string                 `json:"why"`
		Text     json.RawMessage        `json:"text"`
	}
	if json.Unmarshal(body, &b) != nil {
		return
	}
	if kind == continuity.ObjectCheck {
		if json.Unmarshal(b.Reason, &e.Why) == nil && e.Reason == e.Why.Code {
			e.Reason = "" // it says less
		}
		return
	}
	if b.Owner != "" {
		e.People = append(e.People, b.Owner)
	}
	if b.Audience != "" {
		e.Told = append(e.Told, continuity.ToAudience+"/"+b.Audience)
	}
	if n := len(b.Asked); n > 0 && e.Action == "update.asked" {
		e.People = append(e.People, b.Asked[n-1])
	}
	switch {
	case b.AckBy != nil:
		e.People = append(e.People, b.AckBy.ID)
	default:
		for _, to := range b.To {
			if to.Kind == continuity.ToPerson {
				e.People = append(e.People, to.ID)
			} else if to.Kind != continuity.ToTold {
				e.Told = append(e.Told, to.Kind+"/"+to.ID)
			}
		}
	}
	var said string
	if kind == continuity.KindResource { // what for
		b.Reason = b.Text
	}
	if json.Unmarshal(b.Reason, &said) == nil {
		e.Reason = cmp.Or(e.Reason, said)
	}
	e.Reason = cmp.Or(e.Reason, b.Why)
}
