package main

import (
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// lasts is a length of time in the reader's words.
func (c *cli) lasts(d time.Duration) string { return catalogue.Lasts(c.lang, d) }

// actor is who did something: a person's name, or which part of Holdfast.
func (c *cli) actor(a continuity.Actor) string {
	if a.Kind != continuity.ActorEngine {
		return a.ID
	}
	name := c.t("event.engine." + a.ID)
	if name == "event.engine."+a.ID {
		name = a.ID
	}
	return c.t("event.engine", "name", name)
}

// kindStates are where the states of each kind of object have their words.
var kindStates = map[string]string{
	continuity.KindIncident: "incident.word.", continuity.KindTask: "incident.task.", continuity.KindRun: "runbook.run.", continuity.KindWindow: "maintenance.states.",
	continuity.KindUpdate: "announce.state.", continuity.KindNotification: "notify.state.", continuity.KindDelivery: "notify.delivery.",
	continuity.ObjectCheck: "cli.check.state.", "warning": "warning.level.", "notice": "notice.state.",
}

// stateOf is an object's state in words; an incident's stands behind its grade.
func (c *cli) stateOf(kind, state string) string {
	before := ""
	if at := strings.LastIndex(state, " "); at >= 0 {
		before, state = state[:at+1], state[at+1:]
	}
	id := kindStates[kind] + state
	if text := c.t(id); text != id {
		state = text
	}
	return before + state
}

// origin is what an incident came of.
func (c *cli) origin(o continuity.Origin) string {
	id := "incident.origin." + o.Kind
	if text := c.t(id, "id", o.ID); text != id {
		return text
	}
	return o.Kind + "/" + o.ID
}

// causes are kinds of causes, in words.
func (c *cli) causes(kinds []string) string {
	words := make([]string, len(kinds))
	for i, kind := range kinds {
		words[i] = c.term("announce.cause.", kind)
	}
	return strings.Join(words, ", ")
}

// source is who says that the work of a window is done: KIND or KIND/ID.
func (c *cli) source(id string) string {
	kind, of, _ := strings.Cut(id, "/")
	if text := c.t("incident.origin."+kind, "id", of); c.lang != catalogue.En && text != "incident.origin."+kind {
		return strings.TrimSpace(text)
	}
	return id
}
