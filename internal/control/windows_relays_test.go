package control

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
)

// relayOfTests is a relay with one route, which goes by its settings as relays do.
type relayOfTests struct {
	settings map[string]api.Switch // by owner
	line     *api.WaitingLine
	lineOf   string
	told     int
	gone     error
	lineless error // there is no line on the route
}

func (r *relayOfTests) Status(context.Context) (api.Status, error) {
	if r.gone != nil {
		return api.Status{}, r.gone
	}
	route := api.Route{ID: "orders", Intake: r.intake().String()}
	for _, owner := range slices.Sorted(maps.Keys(r.settings)) {
		route.Switches = append(route.Switches, r.settings[owner])
	}
	return api.Status{Routes: []api.Route{route}}, nil
}

func (r *relayOfTests) intake() continuity.Intake {
	var standing []continuity.Switch
	for _, s := range r.settings {
		if s.Block != nil {
			continue
		}
		intake, _ := continuity.ParseIntake(s.Intake)
		standing = append(standing, continuity.Switch{Owner: s.Owner, Intake: intake})
	}
	return continuity.IntakeOf(standing)
}

func (r *relayOfTests) Switch(_ context.Context, s api.SwitchRequest) ([]api.Switch, error) {
	r.told++
	owner := "operator:" + s.Person
	if s.Block != nil {
		owner += ":block:" + fmt.Sprint(s.Block.Paths)
	}
	if s.Intake == "auto" {
		delete(r.settings, owner)
	} else {
		r.settings[owner] = api.Switch{Route: s.Route, Owner: owner, Intake: s.Intake, Block: s.Block}
	}
	return nil, nil
}

func (r *relayOfTests) Admission(context.Context, string) ([]api.Admission, error) {
	a := api.Admission{Route: "orders", Line: r.line}
	if r.line != nil {
		a.Settings = []api.AdmissionSet{{Owner: r.lineOf, Line: true}}
	}
	return []api.Admission{a}, r.gone
}

func (r *relayOfTests) Admit(_ context.Context, a api.AdmissionRequest) ([]api.Admission, error) {
	if r.lineless != nil {
		return nil, r.lineless
	}
	r.told++
	if r.line = nil; a.Line {
		r.line, r.lineOf = &api.WaitingLine{Most: a.Open, Batches: make([]api.LineBatch, 3)}, "operator:"+a.Person+":line"
	}
	return nil, nil
}

// handsOfTests works with one relay and keeps what is written of it.
type handsOfTests struct {
	*hands
	relay *relayOfTests
	kept  map[string]continuity.During
	now   time.Time
}

func newHands() *handsOfTests {
	r := &relayOfTests{settings: map[string]api.Switch{}}
	h := &handsOfTests{relay: r, kept: map[string]continuity.During{}, now: time.Date(2026, 3, 7, 1, 0, 0, 0, time.UTC)}
	h.restart()
	return h
}

// restart has other hands go on, which know what is stored.
func (h *handsOfTests) restart() {
	h.hands = &hands{relays: map[string]hand{"relay": h.relay}}
	h.Reset()
	for id := range h.kept {
		h.show(id)
	}
}

func (h *handsOfTests) show(id string) {
	body, err := json.Marshal(h.kept[id])
	if err == nil {
		err = h.Show(continuity.KindDuring, id, 1, body, continuity.Actor{})
	}
	if err != nil {
		panic(err)
	}
}

func (h *handsOfTests) want(d continuity.During) {
	d.Service, d.Relay, d.Route = "orders", "relay", "orders"
	if d.ID = d.Window + "." + d.What; d.State == "" {
		d.State = continuity.DuringWanted
	}
	if was, ok := h.kept[d.ID]; ok {
		d.Before = was.Before
	}
	h.kept[d.ID] = d
	h.show(d.ID)
}

func (h *handsOfTests) end(id string) {
	d := h.kept[id]
	if d.State == continuity.DuringEnded || d.State == continuity.DuringTaken {
		return
	}
	d.State = continuity.DuringEnding
	h.kept[id] = d
	h.show(id)
}

// work goes on until nothing is to be done now; it says how often something was
// written.
func (h *handsOfTests) work() (wrote int) {
	for {
		changes, _, err := h.Step(context.Background(), h.now)
		if err != nil {
			panic(err)
		}
		if len(changes) == 0 {
			return wrote
		}
		wrote++
		for _, c := range changes {
			var d continuity.During
			if err := json.Unmarshal(c.Body, &d); err != nil {
				panic(err)
			}
			h.kept[c.ID] = d
			h.show(c.ID)
		}
	}
}

// TestWindowsRestoreTheStateBefore has windows overlap in any order, hands be killed
// at any time, and people set what they like meanwhile: when the last window is over,
// what people set stands, and nothing else. A person who changed a route is asked
// about.
func TestWindowsRestoreTheStateBefore(t *testing.T) {
	modes := []string{"divert", "hold", "reply", "block"}
	rapid.Check(t, func(t *rapid.T) {
		h := newHands()
		base := rapid.SampledFrom([]string{"", "hold", "divert"}).Draw(t, "before")
		people := map[string]string{}
		set := func(who, mode string) {
			if people[who] = mode; mode == "" {
				delete(people, who)
				mode = "auto"
			}
			_, _ = h.relay.Switch(t.Context(), api.SwitchRequest{Route: "orders", Intake: mode, Person: who})
		}
		if base != "" {
			set("li.wei", base)
		}
		running, begun := map[string]string{}, 0
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"begin", "begin", "end", "end", "person", "kill", "late", "cut"}).Draw(t, "step") {
			case "begin":
				begun++
				id := fmt.Sprintf("orders-w-2026-%d", begun)
				running[id] = rapid.SampledFrom(modes).Draw(t, "mode")
				h.want(continuity.During{Window: id, What: continuity.DuringMode, Mode: running[id]})
				h.want(continuity.During{Window: id, What: continuity.DuringUploads, Paths: []string{"/import/**"}})
			case "end":
				if len(running) > 0 {
					id := rapid.SampledFrom(slices.Sorted(maps.Keys(running))).Draw(t, "window")
					delete(running, id)
					h.end(id + ".mode")
					h.end(id + ".uploads")
				}
			case "person":
				set(rapid.SampledFrom([]string{"li.wei", "chen.jie"}).Draw(t, "who"), rapid.SampledFrom([]string{"", "hold", "reply"}).Draw(t, "sets"))
			case "kill": // what was just told to the relay is not written
				_, _, _ = h.Step(t.Context(), h.now)
				h.restart()
			case "late":
				h.now = h.now.Add(time.Minute)
			case "cut":
				h.relay.gone = continuity.E(continuity.CodeUnreachable, nil)
				h.work()
				h.relay.gone = nil
				h.now = h.now.Add(time.Minute)
			}
			h.work()
			strongest := continuity.IntakePass
			for _, all := range []map[string]string{running, people} {
				for _, mode := range all {
					if i, _ := continuity.ParseIntake(mode); i.Over(strongest) {
						strongest = i
					}
				}
			}
			if got := h.relay.intake(); got != strongest {
				t.Fatalf("the route is on %s, want %s (windows %v, people %v)", got, strongest, running, people)
			}
		}
		for id := range running {
			h.end(id + ".mode")
			h.end(id + ".uploads")
		}
		h.now = h.now.Add(time.Minute)
		h.work()
		if len(h.relay.settings) != len(people) {
			t.Fatalf("there stands %v, want what people set: %v", h.relay.settings, people)
		}
		for who, mode := range people {
			if h.relay.settings["operator:"+who].Intake != mode {
				t.Fatalf("%s's setting is %v", who, h.relay.settings["operator:"+who])
			}
		}
	})
}

// TestWhatPeopleChangeIsAskedAbout has a person set something during a window, and
// another one take the window's own setting away: neither is overwritten.
func TestWhatPeopleChangeIsAskedAbout(t *testing.T) {
	h := newHands()
	h.relay.settings["operator:li.wei"] = api.Switch{Owner: "operator:li.wei", Intake: "divert"}
	h.want(continuity.During{Window: "w", What: continuity.DuringMode, Mode: "hold"})
	h.work()
	h.relay.settings["operator:chen.jie"] = api.Switch{Owner: "operator:chen.jie", Intake: "reply"}
	h.end("w.mode")
	h.work()
	if d := h.kept["w.mode"]; d.State != continuity.DuringEnded || !slices.Equal(d.Left, []string{"chen.jie"}) || d.Before.Settings["operator:li.wei"] != "divert" {
		t.Error(d, d.Before)
	}

	h.want(continuity.During{Window: "x", What: continuity.DuringMode, Mode: "hold"})
	h.work()
	delete(h.relay.settings, "operator:window:x")
	told := h.relay.told
	h.now = h.now.Add(handLooks)
	h.work()
	h.now = h.now.Add(handLooks)
	h.work()
	if d := h.kept["x.mode"]; d.State != continuity.DuringTaken || h.relay.told != told {
		t.Error(d.State, "and the relay was told", h.relay.told-told, "times more")
	}
}

// TestLineStandsBeforeTheRouteIsLetGo has people come back: the line first, then the
// route; the line opens with the batches, and its end is no person's doing.
func TestLineStandsBeforeTheRouteIsLetGo(t *testing.T) {
	h := newHands()
	h.want(continuity.During{Window: "w", What: continuity.DuringMode, Mode: "hold"})
	h.work()
	h.relay.lineless = continuity.E(continuity.CodeInvalid, nil)
	h.want(continuity.During{Window: "w", What: continuity.DuringLine, Open: 1, Of: 3})
	h.end("w.mode")
	h.work()
	if h.relay.intake() != continuity.IntakeHold {
		t.Error("the route is let go without its line")
	}
	h.relay.lineless = nil
	h.now = h.now.Add(handAgain)
	h.work()
	if h.relay.line == nil || h.relay.line.Most != 1 || h.relay.intake() != continuity.IntakePass {
		t.Error(h.relay.line, h.relay.intake())
	}
	for open, most := range map[int]int{2: 2, 3: 0} {
		h.want(continuity.During{Window: "w", What: continuity.DuringLine, Open: open, Of: 3})
		h.work()
		if h.relay.line == nil || h.relay.line.Most != most {
			t.Errorf("batch %d: %v", open, h.relay.line)
		}
	}
	h.want(continuity.During{Window: "w", What: continuity.DuringLine, Open: 3, Of: 3})
	h.work()
	h.relay.line = nil // everybody is in
	h.now = h.now.Add(handLooks)
	h.work()
	if d := h.kept["w.line"]; d.State != continuity.DuringEnded {
		t.Error(d.State)
	}
}

// TestPausedUploadsAreToldWhy has the relay say in both languages what whoever uploads is
// told, and take it away by the paths alone.
func TestPausedUploadsAreToldWhy(t *testing.T) {
	h := newHands()
	h.want(continuity.During{Window: "w", What: continuity.DuringUploads, Paths: []string{"/import/**"}, Say: continuity.Text{En: "Later.", Zh: "请稍后。"}})
	h.work()
	if len(h.relay.settings) != 1 {
		t.Fatal(h.relay.settings)
	}
	for _, s := range h.relay.settings {
		if s.Block == nil || s.Block.Say["en"] != "Later." || s.Block.Say["zh"] != "请稍后。" {
			t.Error(s.Block)
		}
	}
	h.end("w.uploads")
	h.work()
	if len(h.relay.settings) != 0 {
		t.Error(h.relay.settings)
	}
}

// TestRelayThatCannotBeReachedIsTriedAgain says so once, and goes on.
func TestRelayThatCannotBeReachedIsTriedAgain(t *testing.T) {
	h := newHands()
	h.relay.gone = continuity.E(continuity.CodeUnreachable, nil)
	h.want(continuity.During{Window: "w", What: continuity.DuringMode, Mode: "hold"})
	if n := h.work(); n != 1 || h.kept["w.mode"].State != continuity.DuringFailed {
		t.Error(n, h.kept["w.mode"])
	}
	h.now = h.now.Add(handAgain)
	if n := h.work(); n != 0 {
		t.Error("it was written", n, "times more")
	}
	h.relay.gone = nil
	h.now = h.now.Add(handAgain)
	h.work()
	if d := h.kept["w.mode"]; d.State != continuity.DuringPut || d.Failure != "" || h.relay.intake() != continuity.IntakeHold {
		t.Error(d)
	}
}
