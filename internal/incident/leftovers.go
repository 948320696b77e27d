package incident

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// settled is how long after its end an incident's relays may take to be as before.
const settled = 30 * time.Second

// leftovers tells who is in command where a relay still does what it was told in the
// name of an incident that is over: orders that nobody thinks of any more may be kept.
func (d *draft) leftovers() {
	if d.State != continuity.Resolved && d.State != continuity.Closed {
		return
	}
	ended := d.Resolved
	if ended.IsZero() {
		ended = d.Closed
	}
	if due := ended.Add(settled); d.now.Before(due) { // relays know real time alone
		d.due.add(due)
		return
	}
	for _, id := range slices.Sorted(maps.Keys(d.engine.routes)) {
		r := d.engine.routes[id]
		key := "left/" + id
		by := slices.IndexFunc(r.By, d.put)
		if _, done := d.Warned[key]; done || r.Service != d.Service || by < 0 {
			continue
		}
		owner := strings.TrimSuffix(r.By[by], ":replay")
		d.Warned[key] = d.now
		d.mark("left", id)
		d.tell(continuity.Notification{
			Urgency: continuity.UrgencyPage, To: commander(d.rules, &d.Incident), Escalate: d.deputies(),
		}, "left", func(catalogue.Lang) catalogue.Args {
			return catalogue.Args{"route": r.Route, "mode": string(r.Mode), "owner": owner}
		})
	}
}

// holding are the routes that relays keep as they were told in the incident's name, or in
// that of one that was merged into it.
func (e *editing) holding() (routes []string, err error) {
	names := []string{e.ID}
	for _, id := range e.From { // or what it was split from, which goes on by itself
		other, err := seen[continuity.Incident](e, continuity.KindIncident, id)
		if err != nil {
			return nil, err
		}
		if other.State == continuity.Merged {
			names = append(names, id)
		}
	}
	for cursor := ""; ; {
		objects, next, err := e.acts.store.List(e.ctx, continuity.Query{Kind: continuity.KindRoute, Cursor: cursor, Limit: 1000})
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			var r continuity.RouteSeen
			if err := json.Unmarshal(o.Body, &r); err != nil {
				return nil, err
			}
			if r.Service == e.Service && slices.ContainsFunc(r.By, func(owner string) bool {
				_, name, named := strings.Cut(owner, ":")
				id, _, _ := strings.Cut(name, ":")
				return named && slices.Contains(names, id)
			}) {
				routes = append(routes, r.Route)
			}
		}
		if cursor = next; cursor == "" {
			return routes, nil
		}
	}
}

// put says whether whoever put a setting of a relay did so in the incident's name, or in
// that of one that was put together with it.
func (d *draft) put(owner string) bool {
	_, name, named := strings.Cut(owner, ":")
	id, _, _ := strings.Cut(name, ":")
	if !named || id == d.ID {
		return named
	}
	k := d.engine.incidents[id]
	if k == nil || k.State != continuity.Merged {
		return false
	}
	k = d.engine.goesOn(k)
	return k != nil && k.ID == d.ID
}
