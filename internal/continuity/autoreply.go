package continuity

import (
	"encoding/json"
	"slices"
	"time"
)

// Autoreply is the answer that whoever writes to a channel, or comes to a route of a
// relay, gets by itself. Several may want one at a time: the last that began is
// given, and when it ends the one before it is given again.
type Autoreply struct {
	ID      string         `json:"id"` // SERVICE.CHANNEL, or SERVICE.route.ROUTE
	Service string         `json:"service"`
	Channel string         `json:"channel,omitempty"`
	Route   string         `json:"route,omitempty"`
	On      bool           `json:"on"`
	About   string         `json:"about,omitempty"` // KIND/ID of what the answer is given for now
	Text    Text           `json:"text,omitzero"`
	Drill   string         `json:"exercise,omitempty"` // that it is part of: its text says so
	Wanted  []AutoreplyFor `json:"wanted,omitempty"`   // by whom, in the order in which they began
}

// AutoreplyFor is one answer that is wanted.
type AutoreplyFor struct {
	About    string    `json:"about"` // KIND/ID of an incident, a window, a run
	Text     Text      `json:"text"`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until,omitzero"` // absent: until it is taken back
	By       string    `json:"by,omitempty"`   // the engine that keeps it as the plan says; empty: a person, or a step
	Exercise string    `json:"exercise,omitempty"`
}

// AutoreplyID is the id of a channel's automatic answer.
func AutoreplyID(service, channel string) string { return service + "." + channel }

// RouteAutoreplyID is the id of a route's automatic answer.
func RouteAutoreplyID(service, route string) string { return service + ".route." + route }

// Want adds an answer, or changes the one that is given for the same.
func (a *Autoreply) Want(r AutoreplyFor) {
	if i := slices.IndexFunc(a.Wanted, func(w AutoreplyFor) bool { return w.About == r.About }); i >= 0 {
		r.Since = a.Wanted[i].Since
		a.Wanted[i] = r
	} else {
		a.Wanted = append(a.Wanted, r)
	}
	a.settle()
}

// Drop takes back what was wanted for something, and reports whether it was.
func (a *Autoreply) Drop(about string) bool {
	kept := slices.DeleteFunc(slices.Clone(a.Wanted), func(w AutoreplyFor) bool { return w.About == about })
	was := len(kept) < len(a.Wanted)
	a.Wanted = kept
	a.settle()
	return was
}

// settle makes the last that is wanted the one that is given.
func (a *Autoreply) settle() {
	a.On, a.About, a.Text, a.Drill = false, "", Text{}, ""
	if last := len(a.Wanted) - 1; last >= 0 {
		w := a.Wanted[last]
		a.On, a.About, a.Text, a.Drill = true, w.About, w.Text, w.Exercise
	}
}

// Change is the change that makes it so; version is that of the object as it was.
func (a *Autoreply) Change(version int64) Change {
	body, err := json.Marshal(a)
	if err != nil {
		panic(err) // it is made of texts and times
	}
	action := "autoreply.off"
	if a.On {
		action = "autoreply.on"
	}
	return Change{Kind: KindAutoreply, ID: a.ID, Service: a.Service, Version: version, Body: body, Action: action}
}
