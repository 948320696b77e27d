package incident

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// TimelineEntry is one line of the account of an incident.
type TimelineEntry struct {
	Seq    int64            `json:"seq"`
	At     time.Time        `json:"at"`
	Shown  time.Time        `json:"shown_at,omitzero"` // what the clock of its exercise showed
	Actor  continuity.Actor `json:"actor"`
	Action string           `json:"action"` // incident.declared, task.done, warning.opened ...
	Kind   string           `json:"kind"`
	ID     string           `json:"id"`
	State  string           `json:"state,omitempty"`
	Text   continuity.Text  `json:"text,omitzero"` // what it is about, in the words of whoever wrote it
	Reason string           `json:"reason,omitempty"`
	Erased bool             `json:"erased,omitempty"` // its words were erased for a person's sake
}

var (
	// What belongs to an incident stands below its id.
	kindsBelow = []string{
		continuity.KindIncident, continuity.KindTask, continuity.KindDecision, continuity.KindSituation, continuity.KindUpdate,
		continuity.KindResource, continuity.KindNote, continuity.KindRun, continuity.KindNotification,
	}
	// What else happens to its service meanwhile belongs to it by its time.
	kindsBeside = []string{
		kindWarning, continuity.ObjectCheck, kindReport, "signal", continuity.KindRoute, continuity.KindWindow, continuity.KindSilence,
		continuity.KindAutoreply, "switched", kindNotice,
	}
	// What says nothing that another line does not say.
	unsaid = []string{"incident.noted", "notification.sending", "notification.joined", "notification.told-again", "notification.waiting"}
)

// ahead is how long before a fault the account begins: what led to it.
const ahead = 15 * time.Minute

// mostEntries bounds an account.
const mostEntries = 20_000

// Timeline is all that happened in an incident and, meanwhile, to its service, the
// oldest first; what was merged into it included.
func (a *Acts) Timeline(ctx context.Context, id string) ([]TimelineEntry, error) {
	k, err := a.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	seen := map[int64]bool{}
	all := []TimelineEntry{}
	take := func(q continuity.EventQuery) error {
		q.Oldest, q.Limit = true, 1000
		for len(all) < mostEntries {
			page, next, err := a.store.Events(ctx, q)
			if err != nil {
				return err
			}
			for i := range page {
				if ev := &page[i]; !seen[ev.Seq] && !slices.Contains(unsaid, ev.Action) {
					seen[ev.Seq] = true
					all = append(all, entryOf(ev))
				}
			}
			if q.Cursor = next; next == "" {
				return nil
			}
		}
		return nil
	}
	of, err := a.family(ctx, &k, nil)
	if err != nil {
		return nil, err
	}
	for _, one := range of {
		if err := take(continuity.EventQuery{Under: one, Kinds: kindsBelow}); err != nil {
			return nil, err
		}
	}
	end := a.now().UTC()
	if ended := later(k.Resolved, k.Closed); !ended.IsZero() && !k.Stands() {
		end = ended.Add(time.Second)
	}
	for _, kind := range kindsBeside {
		if err := take(continuity.EventQuery{Service: k.Service, Kind: kind, After: k.Started.Add(-ahead), Before: end}); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b TimelineEntry) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Seq, b.Seq)) })
	return all, nil
}

// family is an incident with all that were merged into it.
func (a *Acts) family(ctx context.Context, k *Kept, known []string) ([]string, error) {
	known = append(known, k.ID)
	for _, id := range k.From {
		if slices.Contains(known, id) {
			continue
		}
		other, err := a.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		if other.Into != k.ID { // it was split from that one
			continue
		}
		if known, err = a.family(ctx, &other, known); err != nil {
			return nil, err
		}
	}
	return known, nil
}

// entryOf is what an event says.
func entryOf(ev *continuity.AuditEvent) TimelineEntry {
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
	if ev.Kind == continuity.KindIncident {
		e.State = b.Grade + " " + b.State
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

// Figures are what is measured of an incident, in seconds of real time since the
// fault; null where it has not come to that.
type Figures struct {
	Incident   string   `json:"incident"`
	Declared   *float64 `json:"declared"`
	Commanded  *float64 `json:"commanded"`     // somebody took command
	First      *float64 `json:"first_message"` // an audience was told something
	Scoped     *float64 `json:"scoped"`        // a person said whom it hits
	Restored   *float64 `json:"restored"`      // the measured RTO
	Resolved   *float64 `json:"resolved"`
	RTO        float64  `json:"rto,omitempty"` // promised
	MTD        float64  `json:"mtd,omitempty"`
	WithinRTO  *bool    `json:"within_rto"`
	WithinMTD  *bool    `json:"within_mtd"`
	Tasks      int      `json:"tasks"`
	TasksOpen  int      `json:"tasks_open"`
	Reopened   int      `json:"reopened"`
	HandOvers  int      `json:"hand_overs"`
	Unanswered int      `json:"unanswered"` // roles that nobody has
}

// Figures are those of an incident as it is now.
func (a *Acts) Figures(ctx context.Context, id string) (Figures, error) {
	k, err := a.Get(ctx, id)
	if err != nil {
		return Figures{}, err
	}
	tasks, err := Below[continuity.Task](ctx, a, id, continuity.KindTask)
	if err != nil {
		return Figures{}, err
	}
	f := Figures{Incident: id, RTO: k.RTO.Seconds(), MTD: k.MTD.Seconds(), Tasks: len(tasks), Reopened: k.Reopened}
	after := func(at time.Time) *float64 {
		if at.IsZero() {
			return nil
		}
		s := at.Sub(k.Started).Seconds()
		return &s
	}
	for _, t := range tasks {
		f.TasksOpen += b2i(t.State == continuity.TaskOpen)
	}
	for _, h := range k.Roles {
		f.Unanswered += b2i(h.State != continuity.RoleTook)
	}
	if len(k.Command) > 0 {
		f.Commanded, f.HandOvers = after(k.Command[0].At), len(k.Command)-1
	}
	var first time.Time
	for _, w := range k.Public {
		if first.IsZero() || w.At.Before(first) {
			first = w.At
		}
	}
	f.Declared, f.First, f.Scoped, f.Restored, f.Resolved = after(k.Declared), after(first), after(k.Scoped), after(k.Restored), after(k.Resolved)
	if f.Restored != nil {
		within := func(limit float64) *bool {
			if limit <= 0 {
				return nil
			}
			ok := *f.Restored <= limit
			return &ok
		}
		f.WithinRTO, f.WithinMTD = within(f.RTO), within(f.MTD)
	}
	return f, nil
}
