package app

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
	"holdfast/internal/outgoing"
	"holdfast/internal/watch/probe"
	"holdfast/internal/watch/probe/flow"
)

const orderFlow = `schema: holdfast/flow@1
id: order
name: Order
base: http://127.0.0.1:1
steps:
  - id: order
    method: POST
    url: /orders/
    body: {json: {no: T-1, user: "{{account.user}}"}}
    expect: {status: 201}
`

// believing starts a relay that believes marks by a key.
func believing(t *testing.T, s *shop) (a *App, key string) {
	t.Helper()
	dir := t.TempDir()
	key = strings.Repeat("k", 32)
	if err := os.WriteFile(filepath.Join(dir, "marks"), []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, write(t, dir, orders(s.address)+"checks: {mark: {file: marks}}\n")), key
}

// lookThrough runs orderFlow through a relay, marked by a key.
func lookThrough(t *testing.T, a *App, key string) continuity.CheckResult {
	t.Helper()
	rules, err := outgoing.Rules(a.Addr())
	if err != nil {
		t.Fatal(err)
	}
	tools := probe.NewTools("here", outgoing.New(outgoing.NewPolicy(rules...), nil), nil, nil)
	tools.MarkKey = []byte(key)
	p, err := flow.New(probe.Spec{
		ID: "shop/order", Kind: "flow", Target: "http://" + a.Addr(), Timeout: 5 * time.Second, Script: orderFlow,
		User: "tester", Auth: func() (string, error) { return "s3cret", nil },
	}, tools)
	if err != nil {
		t.Fatal(err)
	}
	return p.Run(t.Context())
}

// A flow that orders through a real relay: while the shop is there it passes and
// counts apart; while the relay holds nothing of it is kept; without the mark it
// would be an order that comes true later.
func TestFlowThroughTheRelay(t *testing.T) {
	s := newShop(t)
	a, key := believing(t, s)
	look := func(mark string) continuity.CheckResult { return lookThrough(t, a, mark) }
	if r := look(key); r.State != continuity.CheckUp {
		t.Fatalf("%+v", r)
	}
	s.next()
	s.close()
	place(t, a, "1", `{"no":"A"}`) // a customer's, which is kept
	if r := look(key); r.State != continuity.CheckDown || r.Reason.Step != "order" {
		t.Errorf("while the relay holds: %+v", r)
	}
	figures := scrape(t, a)
	for _, line := range []string{
		`holdfast_relay_check_requests_total{class="2xx",outcome="passed",route="orders"} 1`,
		`holdfast_relay_check_requests_total{class="5xx",outcome="refused",route="orders"} 1`,
		`holdfast_relay_records_total{route="orders",what="accepted"} 1`,
		`holdfast_relay_requests_total{class="2xx",outcome="held",route="orders"} 1`,
	} {
		if !strings.Contains(figures, line+"\n") {
			t.Errorf("no %s", line)
		}
	}
	if strings.Count(figures, "\nholdfast_relay_requests_total{") != 1 {
		t.Error("checks count among customers")
	}
	look(strings.Repeat("x", 32)) // by another key it is a customer's
	if figures = scrape(t, a); !strings.Contains(figures, `holdfast_relay_records_total{route="orders",what="accepted"} 2`) {
		t.Error("a forged mark kept a request from being held")
	}
}

// The system goes away, so that the route's own health holds it as well as the word
// of the check that goes through it; when the system is back the route opens, though
// beneath the word nobody else may try.
func TestARouteOpensAfterHealthAndACheckHeldIt(t *testing.T) {
	s := newShop(t)
	a, key := believing(t, s)
	say := func(down bool) {
		t.Helper()
		if _, err := client(t, a).Follow(t.Context(), api.FollowRequest{Route: "orders", Check: "shop/order", Down: down, For: 45, Node: "control-1"}); err != nil {
			t.Fatal(err)
		}
	}
	s.close()
	if status, _ := place(t, a, "1", `{"no":"A"}`); status != http.StatusAccepted {
		t.Fatalf("a customer was answered %d", status)
	}
	if r := lookThrough(t, a, key); r.State != continuity.CheckDown {
		t.Fatalf("%+v", r)
	}
	say(true)
	if r := route(t, a); len(r.Switches) != 2 {
		t.Fatalf("%+v", r.Switches)
	}
	if r := lookThrough(t, a, key); r.State != continuity.CheckDown {
		t.Fatalf("the system is away: %+v", r)
	}
	s.open()
	if r := lookThrough(t, a, key); r.State != continuity.CheckUp {
		t.Fatalf("the system is back: %+v", r)
	}
	if got := s.next(); !strings.Contains(got, "T-1") {
		t.Errorf("the system got %s", got)
	}
	say(false)
	if got := s.next(); got != `{"no":"A"}` { // replay is health's trial
		t.Errorf("the system got %s", got)
	}
	for began := time.Now(); route(t, a).Mode != continuity.ModePass; {
		if time.Since(began) > patience {
			t.Fatalf("%+v", route(t, a))
		}
	}
}
