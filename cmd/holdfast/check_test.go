package main

import (
	"encoding/json"
	"strings"
	"testing"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/watch"
)

// The history of a flow names the step, as its verdict does.
func TestAnEventOfACheckNamesTheStep(t *testing.T) {
	reason := continuity.CheckReason{Step: "log-in", Code: "watch.status", Args: map[string]any{"status": 503}}
	after, err := json.Marshal(continuity.JudgedCheck{State: continuity.CheckDown, Reason: reason})
	if err != nil {
		t.Fatal(err)
	}
	e := controlapi.Event{EventHead: controlapi.EventHead{Reason: reason.Code}, After: after}
	if said := watch.Say(catalogue.En, reasonOf(e)); said != watch.Say(catalogue.En, reason) || !strings.Contains(said, "log-in") {
		t.Error(said)
	}
	e.After = nil
	if got := reasonOf(e); got.Code != "watch.status" || got.Step != "" {
		t.Errorf("%+v", got)
	}
}
