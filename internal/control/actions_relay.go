package control

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
	"holdfast/internal/controlconfig"
	"holdfast/internal/runbook"
)

// relayTime bounds one exchange with a relay.
const relayTime = 15 * time.Second

// ownMode is what a route's standing settings of one owner were.
type ownMode struct {
	Intake string `json:"intake,omitempty"` // empty: none stood
	Replay string `json:"replay,omitempty"`

	Merged map[string]ownMode `json:"merged,omitempty"` // of incidents that go on in the owner
}

// steppedRoute is a route that a step names, and how its relay is asked.
type steppedRoute struct {
	relay, route, owner, why string
	merged                   []string // incidents that go on in the owner
	client                   *api.Client
}

// steppedRelay finds the relay of a step's route. Settings are put in the name of what the
// run is for, so that a later run of the same incident or window can change them.
func (n *Node) steppedRelay(ctx context.Context, c runbook.Call) (*steppedRoute, runbook.Result) {
	r := &steppedRoute{route: c.Step.With["route"], owner: strings.TrimPrefix(aboutOf(c.Run), continuity.KindRun+"/")}
	if kind, id, below := strings.Cut(r.owner, "/"); below {
		if r.owner = id; kind == continuity.KindIncident {
			r.merged = n.mergedInto(ctx, id, map[string]bool{})
		}
	}
	if p := n.planOf(c.Run.Service); p != nil && p.Tech != nil {
		for i := range p.Tech.Routes {
			if p.Tech.Routes[i].ID == r.route {
				r.relay = p.Tech.Routes[i].Relay
			}
		}
	}
	r.why = "run " + c.Run.ID + ", step " + c.Step.ID + ", begun by " + c.Run.By.ID
	if r.relay == "" {
		return nil, failed("no-route", "route", r.route)
	}
	i := slices.IndexFunc(n.o.Config.Relays, func(set controlconfig.Relay) bool { return set.ID == r.relay })
	if i < 0 {
		return nil, failed("no-relay", "relay", r.relay, "route", r.route)
	}
	r.client = n.relayAPI(n.o.Config.Relays[i])
	return r, runbook.Result{}
}

// standing is what stands for the route, and what of it is the owner's own.
func (r *steppedRoute) standing(ctx context.Context) (api.Route, ownMode, error) {
	ctx, cancel := context.WithTimeout(ctx, relayTime)
	defer cancel()
	status, err := r.client.Status(ctx)
	if err != nil {
		return api.Route{}, ownMode{}, err
	}
	i := slices.IndexFunc(status.Routes, func(route api.Route) bool { return route.ID == r.route })
	if i < 0 {
		return api.Route{}, ownMode{}, continuity.E(continuity.CodeNoRoute, nil)
	}
	of := func(owner string) (own ownMode) {
		for _, s := range status.Routes[i].Switches {
			switch {
			case s.Owner == operatorPrefix+owner && s.Block == nil:
				own.Intake = s.Intake
			case s.Owner == operatorPrefix+owner+":replay":
				own.Replay = s.Replay
			}
		}
		return own
	}
	own := of(r.owner)
	for _, id := range r.merged {
		if before := of(id); before.Intake != "" || before.Replay != "" {
			if own.Merged == nil {
				own.Merged = map[string]ownMode{}
			}
			own.Merged[id] = before
		}
	}
	return status.Routes[i], own, nil
}

// mergedInto are the incidents that go on in one. One that can't be read is left out:
// what it put stands, and the step that it keeps from working names it.
func (n *Node) mergedInto(ctx context.Context, id string, seen map[string]bool) (all []string) {
	i, err := n.incidentOf(ctx, id)
	if err != nil {
		return nil
	}
	for _, from := range i.From {
		other, err := n.incidentOf(ctx, from)
		if err != nil || seen[from] || other.State != continuity.Merged {
			continue
		}
		seen[from] = true
		all = append(append(all, from), n.mergedInto(ctx, from, seen)...)
	}
	return all
}

// operatorPrefix is how the owners begin of settings that somebody put by hand or by a
// run.
const operatorPrefix = "operator:"

func (r *steppedRoute) put(ctx context.Context, owner, intake, replay string) error {
	ctx, cancel := context.WithTimeout(ctx, relayTime)
	defer cancel()
	_, err := r.client.Switch(ctx, api.SwitchRequest{Route: r.route, Intake: intake, Replay: replay, Person: owner, Why: r.why})
	return err
}

func (r *steppedRoute) failed(err error) runbook.Result {
	return failed("relay", "relay", r.relay, "route", r.route, "why", string(continuity.CodeOf(err)))
}

// relayAction switches a route. What the run's own setting was before is kept first,
// and put back when the step is taken back; what others have set stands beside it.
func (n *Node) relayAction(mode string) runbook.Action {
	return runbook.Action{
		Needs: rightSwitch,
		Do: func(ctx context.Context, c runbook.Call) runbook.Result {
			r, lacks := n.steppedRelay(ctx, c)
			if r == nil {
				return lacks
			}
			_, own, err := r.standing(ctx)
			if err != nil {
				return r.failed(err)
			}
			if err := c.Keep(ctx, jsonOf(own)); err != nil {
				return failed("ended")
			}
			if mode == "drain" {
				if err = r.put(ctx, r.owner, "auto", ""); err == nil {
					err = r.put(ctx, r.owner, "", "on")
				}
			} else {
				err = r.put(ctx, r.owner, mode, "")
			}
			if err == nil && (mode == "pass" || mode == "drain") {
				err = r.lift(ctx, own.Merged)
			}
			if err != nil {
				return r.failed(err)
			}
			return r.took(ctx, mode)
		},
		Undo: func(ctx context.Context, c runbook.Call) runbook.Result {
			r, lacks := n.steppedRelay(ctx, c)
			if r == nil {
				return lacks
			}
			if c.Undo == nil {
				return runbook.Result{} // it never came to switching
			}
			var before ownMode
			if err := json.Unmarshal(c.Undo, &before); err != nil {
				return failed("damaged")
			}
			_, own, err := r.standing(ctx)
			if err == nil {
				err = r.back(ctx, r.owner, own, before)
			}
			for _, id := range slices.Sorted(maps.Keys(before.Merged)) {
				if err == nil {
					err = r.back(ctx, id, own.Merged[id], before.Merged[id])
				}
			}
			if err != nil {
				return r.failed(err)
			}
			now, _, err := r.standing(ctx)
			if err != nil {
				return r.failed(err)
			}
			return runbook.Result{Output: jsonOf(map[string]any{"route": r.route, "mode": now.Mode, "intake": now.Intake})}
		},
		Show: func(ctx context.Context, c runbook.Call) (continuity.CheckReason, *continuity.CheckReason) {
			r, lacks := n.steppedRelay(ctx, c)
			if r == nil {
				return what("relay", "route", c.Step.With["route"], "mode", mode, "now", "-"), lacking(lacks)
			}
			now, _, err := r.standing(ctx)
			if err != nil {
				return what("relay", "route", r.route, "mode", mode, "now", "-"), lacking(r.failed(err))
			}
			return what("relay", "route", r.route, "mode", mode, "now", string(now.Mode)), nil
		},
	}
}

// lift ends what incidents put that go on in the owner: nobody else would.
func (r *steppedRoute) lift(ctx context.Context, merged map[string]ownMode) (err error) {
	for _, id := range slices.Sorted(maps.Keys(merged)) {
		if err == nil {
			err = r.back(ctx, id, merged[id], ownMode{})
		}
	}
	return err
}

// back puts an owner's settings back to what they were.
func (r *steppedRoute) back(ctx context.Context, owner string, now, before ownMode) (err error) {
	if now.Intake != before.Intake {
		err = r.put(ctx, owner, orAuto(before.Intake), "")
	}
	if err == nil && now.Replay != before.Replay {
		err = r.put(ctx, owner, "", orAuto(before.Replay))
	}
	return err
}

func orAuto(setting string) string {
	if setting == "" {
		return "auto"
	}
	return setting
}

// took looks whether the route does what was wanted. Where somebody else's setting
// keeps it from passing, the step failed and names them.
func (r *steppedRoute) took(ctx context.Context, mode string) runbook.Result {
	now, _, err := r.standing(ctx)
	if err != nil {
		return r.failed(err)
	}
	output := jsonOf(map[string]any{"route": r.route, "mode": now.Mode, "intake": now.Intake, "replay": now.Replay})
	want := mode
	if mode == "drain" {
		want = "pass"
	}
	if now.Intake != want {
		for _, s := range now.Switches {
			other, person := strings.CutPrefix(s.Owner, operatorPrefix)
			if person && s.Intake == now.Intake && other != r.owner && s.Block == nil {
				return runbook.Result{Output: output, Failed: failed("held-by", "route", r.route, "mode", now.Intake, "by", other, "why", s.Reason).Failed}
			}
		}
	}
	return runbook.Result{Output: output}
}
