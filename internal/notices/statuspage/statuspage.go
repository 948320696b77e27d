// Package statuspage reads the JSON of status pages in the form that Atlassian's
// have: summary.json, incidents.json, scheduled-maintenances.json and their
// like. What they leave out, name otherwise or write as null is taken as it is;
// an entry that makes no sense is left out and counted.
package statuspage

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"holdfast/internal/notices"
	"holdfast/internal/notices/extract"
	"holdfast/internal/outgoing/fetch"
	"holdfast/internal/outgoing/plain"
)

// maxUpdates of one incident are kept, the newest.
const maxUpdates = 8

type source struct {
	web        *notices.Web
	components []string
}

// New reads the JSON at a spec's URL; of its Components, where there are any.
func New(s *notices.Spec, tools *notices.Tools) (notices.Source, error) {
	web, err := notices.NewWeb(s, tools, "application/json", 4<<20)
	if err != nil {
		return nil, err
	}
	return &source{web, s.Components}, nil
}

type document struct {
	Page        *json.RawMessage  `json:"page"`
	Components  []component       `json:"components"`
	Incidents   []json.RawMessage `json:"incidents"`
	Maintenance []json.RawMessage `json:"scheduled_maintenances"`
	Status      *json.RawMessage  `json:"status"`
}

type component struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status"`
	Group  bool   `json:"group"`
}

type incident struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	Status     string      `json:"status"`
	Impact     string      `json:"impact"`
	Link       string      `json:"shortlink"`
	Created    *moment     `json:"created_at"`
	Started    *moment     `json:"started_at"`
	Resolved   *moment     `json:"resolved_at"`
	From       *moment     `json:"scheduled_for"`
	Until      *moment     `json:"scheduled_until"`
	Updates    []update    `json:"incident_updates"`
	Components []component `json:"components"`
}

type update struct {
	Status   string  `json:"status"`
	Body     string  `json:"body"`
	Shown    *moment `json:"display_at"`
	Created  *moment `json:"created_at"`
	Affected []struct {
		Name string `json:"name"`
	} `json:"affected_components"`
}

// moment is a time; what is none is as good as absent.
type moment struct{ time.Time }

func (m *moment) UnmarshalJSON(src []byte) error {
	var text string
	if json.Unmarshal(src, &text) != nil {
		return nil
	}
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05 MST"} {
		if t, err := time.Parse(form, text); err == nil && t.Year() > 1990 && t.Year() < 2200 {
			m.Time = t.UTC()
			return nil
		}
	}
	return nil
}

func (m *moment) at() time.Time {
	if m == nil {
		return time.Time{}
	}
	return m.Time
}

func (s *source) Read(ctx context.Context, from json.RawMessage) (notices.Look, error) {
	var mark fetch.Mark
	_ = json.Unmarshal(from, &mark) // of another form: read all
	answer, err := s.web.Get(ctx, mark)
	if err != nil || answer.Same {
		return notices.Look{Same: true, Next: from}, err
	}
	look, err := Parse(answer.Body, s.components)
	if err != nil {
		return look, err
	}
	look.Next, err = json.Marshal(answer.Mark)
	return look, err
}

// Parse reads a document; of components, where there are any, only what
// concerns them.
func Parse(src []byte, components []string) (notices.Look, error) {
	var d document
	if err := json.Unmarshal(src, &d); err != nil {
		return notices.Look{}, fetch.Fail(fetch.Format, err)
	}
	if d.Incidents == nil && d.Maintenance == nil && d.Components == nil {
		return notices.Look{}, fetch.Fail(fetch.Format, nil)
	}
	// A summary lists what is open and no more; other documents list the past too.
	look := notices.Look{Whole: d.Components != nil && d.Incidents != nil}
	var named []string
	for _, list := range [][]json.RawMessage{d.Incidents, d.Maintenance} {
		for _, raw := range list {
			var in incident
			if json.Unmarshal(raw, &in) != nil || in.ID == "" || strings.TrimSpace(in.Name) == "" {
				look.Left++
				continue
			}
			item := in.item()
			named = append(named, item.Stated.Affected...)
			if counts(item.Stated.Affected, components) {
				look.Items = append(look.Items, item)
			}
		}
	}
	for _, c := range d.Components {
		if level, bad := states[c.Status]; bad && !c.Group && c.ID != "" && !slices.Contains(named, c.Name) && counts([]string{c.Name}, components) {
			look.Items = append(look.Items, c.item(level))
		}
	}
	look.Items = notices.Bound(look.Items)
	return look, nil
}

// counts reports whether one of the names is of interest; who names nothing may
// mean all.
func counts(names, wanted []string) bool {
	return len(wanted) == 0 || len(names) == 0 || slices.ContainsFunc(names, func(n string) bool {
		return slices.ContainsFunc(wanted, func(w string) bool { return strings.EqualFold(strings.TrimSpace(n), strings.TrimSpace(w)) })
	})
}

var impacts = map[string]extract.Level{"minor": extract.Yellow, "major": extract.Orange, "critical": extract.Red, "maintenance": extract.Blue}

var states = map[string]extract.Level{
	"degraded_performance": extract.Yellow, "partial_outage": extract.Orange, "major_outage": extract.Red,
}

// item makes one of an incident or a window.
func (in *incident) item() notices.Item {
	window := !in.From.at().IsZero() || slices.Contains([]string{"scheduled", "in_progress", "verifying", "completed"}, in.Status)
	item := notices.Item{
		Key: "incident:" + in.ID, Title: in.Name, URL: in.Link,
		Stated: notices.Stated{Level: impacts[in.Impact], Start: in.Started.at(), End: in.Resolved.at()},
	}
	if window {
		item.Stated.Start, item.Stated.End = in.From.at(), in.Until.at()
	} else if item.Stated.Start.IsZero() {
		item.Stated.Start = in.Created.at()
	}
	switch in.Status {
	case "resolved", "postmortem", "completed":
		item.Stated.Kind = extract.Resolved
	case "cancelled", "canceled":
		item.Stated.Kind = extract.Cancelled
	case "investigating", "identified", "monitoring":
		item.Stated.Kind = extract.Outage
	default:
		if window {
			item.Stated.Kind = extract.Maintenance
		}
	}
	if item.Stated.Kind == extract.Maintenance && item.Stated.Level == "" {
		item.Stated.Level = extract.Blue
	}
	affects := func(name string) {
		if name = plain.Line(name, 200); name != "" && !slices.Contains(item.Stated.Affected, name) {
			item.Stated.Affected = append(item.Stated.Affected, name)
		}
	}
	for _, c := range in.Components {
		affects(c.Name)
	}
	updates := slices.Clone(in.Updates)
	slices.SortStableFunc(updates, func(a, b update) int { return b.at().Compare(a.at()) })
	var text []string
	for _, u := range updates[:min(len(updates), maxUpdates)] {
		head := strings.ReplaceAll(u.Status, "_", " ")
		if at := u.at(); !at.IsZero() {
			head = at.Format("2006-01-02 15:04 UTC") + " " + head
			if item.Written.IsZero() {
				item.Written = at
			}
		}
		text = append(text, strings.TrimSpace(head+": "+plain.FromHTML(u.Body)))
		for _, a := range u.Affected {
			affects(a.Name)
		}
	}
	if item.Written.IsZero() {
		item.Written = in.Created.at()
	}
	item.Text = strings.Join(text, "\n\n")
	return item
}

func (c *component) item(level extract.Level) notices.Item {
	return notices.Item{
		Key: "component:" + c.ID, Title: c.Name + ": " + strings.ReplaceAll(c.Status, "_", " "),
		Stated: notices.Stated{Kind: extract.Outage, Level: level, Affected: []string{c.Name}},
	}
}

// at is when an update was made public.
func (u *update) at() time.Time {
	if at := u.Shown.at(); !at.IsZero() {
		return at
	}
	return u.Created.at()
}
