package app

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
)

// TestFollowsAControlNodesCheck: the word of a check holds the route though its
// own health is well, is renewed and taken back, and ends by itself where the
// control node says nothing more.
func TestFollowsAControlNodesCheck(t *testing.T) {
	s := newShop(t)
	a := start(t, write(t, t.TempDir(), orders(s.address)))
	c := client(t, a)
	const check = "orders/place-order"
	say := func(down bool, seconds float64) ([]api.Switch, error) {
		return c.Follow(t.Context(), api.FollowRequest{Route: "orders", Check: check, Down: down, For: seconds, Node: "control-1"})
	}
	placed := func(want int) {
		t.Helper()
		if status, _ := place(t, a, "1", `{"no":"A"}`); status != want {
			t.Errorf("answered %d, not %d", status, want)
		}
	}
	placed(http.StatusCreated)
	standing, err := say(true, 3600)
	if err != nil || len(standing) != 1 {
		t.Fatal(standing, err)
	}
	if w := standing[0]; w.Owner != "check:"+check || w.Intake != "hold" || w.Replay != "off" || w.Reason != "follows" || time.Until(w.Until) > time.Minute {
		t.Errorf("%+v", w)
	}
	placed(http.StatusAccepted)
	if r := route(t, a); r.Health != "up" || r.Mode != continuity.ModeHold {
		t.Errorf("health %s, mode %s", r.Health, r.Mode)
	}
	if _, err := say(false, 0); err != nil {
		t.Fatal(err)
	}
	if standing := route(t, a).Switches; len(standing) != 0 {
		t.Errorf("%+v", standing)
	}
	// The control node dies: nobody takes its word back.
	if _, err := say(true, 0.5); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for len(route(t, a).Switches) > 0 {
		if time.Now().After(deadline) {
			t.Fatal("the word of a dead control node stands")
		}
	}
	if got := scrape(t, a); !strings.Contains(got, `holdfast_relay_health{route="orders",state="up"} 1`) {
		t.Error("it does not go by its own health")
	}
}

func TestFollowIsRefused(t *testing.T) {
	s := newShop(t)
	deaf := strings.Replace(orders(s.address), "    hold:", "    detect: {follow: 0s}\n    hold:", 1)
	c := client(t, start(t, write(t, t.TempDir(), deaf)))
	for name, r := range map[string]api.FollowRequest{
		"a route that listens to nobody": {Route: "orders", Check: "a/b", Node: "n", Down: true, For: 10},
		"no check":                       {Route: "orders", Node: "n", Down: true, For: 10},
		"no node":                        {Route: "orders", Check: "a/b", Down: true, For: 10},
		"control characters":             {Route: "orders", Check: "a\nb", Node: "n", Down: true, For: 10},
	} {
		if _, err := c.Follow(t.Context(), r); continuity.CodeOf(err) != continuity.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.Follow(t.Context(), api.FollowRequest{Route: "none", Check: "a/b", Node: "n", Down: true, For: 10}); continuity.CodeOf(err) != continuity.CodeNoRoute {
		t.Error(err)
	}
}
