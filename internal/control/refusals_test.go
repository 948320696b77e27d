package control

import (
	"encoding/json"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/warning"
)

// TestWhatAnEngineCantReadIsAWarning has an object of another version of the program
// stop nothing: people are warned of it until it is mended.
func TestWhatAnEngineCantReadIsAWarning(t *testing.T) {
	n := paged(t, newPager(t))
	put := func(body string) {
		t.Helper()
		c := continuity.Change{
			Kind: continuity.KindIncident, ID: "payment-outage-2026-7", Service: "payment-outage", Version: continuity.VersionAny, Action: "incident.imported",
		}
		if body != "" {
			c.Body = json.RawMessage(body)
		}
		if _, err := n.store.Commit(t.Context(), continuity.Batch{Actor: li, Changes: []continuity.Change{c}}); err != nil {
			t.Fatal(err)
		}
	}
	state := func() string {
		k, err := warning.NewActs(n.store, time.Now).Get(t.Context(), "payment-outage.engine.incidents")
		if err != nil {
			return string(continuity.CodeOf(err))
		}
		return k.State
	}
	put(`{"id": 7}`)
	until(t, "the warning", func() bool { return state() == continuity.WarningOpen })
	put("")
	until(t, "its end", func() bool { return state() == continuity.WarningCleared })
}
