package main

import (
	"strings"
	"testing"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/keeping"
)

// TestWhatARestoreWaitsFor has people told what they can do, and nothing that is refused.
func TestWhatARestoreWaitsFor(t *testing.T) {
	li := continuity.RestoreApproval{By: continuity.Actor{Kind: "user", ID: "li.wei"}}
	for _, c := range []struct {
		of         continuity.Restore
		want, lack string
	}{
		{continuity.Restore{State: continuity.RestoreReady}, "restore approve r-1", ""},
		{continuity.Restore{State: continuity.RestoreReady, Approved: &li}, "restore switch r-1", "restore approve"},
		{continuity.Restore{State: continuity.RestoreReady, Upgrade: "u-1"}, "restore drop r-1", "restore approve"},
		{continuity.Restore{State: continuity.RestoreDone}, "restore drop r-1", "undo"},
		{continuity.Restore{State: continuity.RestoreDone, Undoing: &li}, "restore undo r-1", "drop"},
		{continuity.Restore{State: continuity.RestoreDone, Dropping: &li}, "li.wei", "undo"},
	} {
		c.of.ID, c.of.Into = "r-1", continuity.IntoOver
		for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
			said := (&cli{lang: lang}).restoreNote(&keeping.RestoreShown{Restore: c.of})
			if !strings.Contains(said, c.want) || c.lack != "" && strings.Contains(said, c.lack) {
				t.Errorf("%+v: %s", c.of, said)
			}
		}
	}
}
