package control

import (
	"encoding/json"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
)

// TestTheLastBeatIsThatOfTheLastEvent takes a beat of a node whose clock is an hour
// ahead: it hides no failure that comes later.
func TestTheLastBeatIsThatOfTheLastEvent(t *testing.T) {
	n, client := checkingNode(t, t.TempDir(), "127.0.0.1")
	applyChecks(t, n, "schema: holdfast/plan-tech@1\nallow: [127.0.0.1]\nchecks:\n  - {id: web, tcp: \"127.0.0.1:9\"}\n  - {id: backup, heartbeat: 10s}\n")
	is := func(state, reason string) func() bool {
		return func() bool {
			c, _, err := controlapi.Get[controlapi.Check](t.Context(), client, "/checks/shop/backup", nil)
			if err != nil && continuity.CodeOf(err) != continuity.CodeNotFound {
				t.Fatal(err)
			}
			return c.State == state && (reason == "" && c.Reason == nil || c.Reason != nil && c.Reason.Code == reason)
		}
	}
	eventually(t, "no beat has come", is("unknown", "watch.no-beat"))
	body, err := json.Marshal(storedBeat{At: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.store.Apply(t.Context(), continuity.Actor{Kind: "token", ID: "cron"}, []continuity.Change{
		{Kind: kindBeat, ID: "shop/backup", Service: "shop", Version: continuity.VersionAny, Body: body, Action: "heartbeat.came"},
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "when the next one is late is not known", is("unknown", "watch.beat-ahead"))
	for _, told := range []struct{ status, state, reason string }{{"failed", "down", "watch.beat-failed"}, {"ok", "up", ""}} {
		if _, err := controlapi.Post[struct{}](t.Context(), client, "/heartbeats/shop/backup?status="+told.status, nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the job "+told.status, is(told.state, told.reason))
	}
}
