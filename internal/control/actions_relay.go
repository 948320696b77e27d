package control

import (
	"context"
	"encoding/json"
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
}

// steppedRoute is a route that a step names, and how its relay is asked.
type steppedRoute struct {
	relay, route, owner, why string
	client                   *api.Client
}

// steppedRelay finds the relay of a step's route. Settings are put in the name of what the
// run is for, so that a later run of the same incident or window can change them.
func (n *Node) steppedRelay(c runbook.Call) (*steppedRoute, runbook.Result) {
	r := &steppedRoute{route: c.Step.With["route"], owner: strings.TrimPrefix(aboutOf(c.Run), continuity.KindRun+"/")}
	if _, id, below := strings.Cut(r.owner, "/"); below {
		r.owner = id
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
	var own ownMode
	for _, s := range status.Routes[i].Switches {
		switch {
		case s.Owner == operatorPrefix+r.owner && s.Block == nil:
			own.Intake = s.Intake
		case s.Owner == operatorPrefix+r.owner+":replay":
			own.Replay = s.Replay
		}
	}
	return status.Routes[i], own, nil
}

// operatorPrefix is how the owners begin of settings that somebody put by hand or by a
// run.
const operatorPrefix = "operator:"

func (r *steppedRoute) put(ctx context.Context, intake, replay string) error {
	ctx, cancel := context.WithTimeout(ctx, relayTime)
	defer cancel()
	_, err := r.client.Switch(ctx, api.SwitchRequest{Route: r.route, Intake: intake, Replay: replay, Person: r.owner, Why: r.why})
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
			r, lacks := n.steppedRelay(c)
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
				if err = r.put(ctx, "auto", ""); err == nil {
					err = r.put(ctx, "", "on")
				}
			} else {
				err = r.put(ctx, mode, "")
			}
			if err != nil {
				return r.failed(err)
			}
			return r.took(ctx, mode)
		},
		Undo: func(ctx context.Context, c runbook.Call) runbook.Result {
			r, lacks := n.steppedRelay(c)
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
			if err == nil && own.Intake != before.Intake {
				err = r.put(ctx, orAuto(before.Intake), "")
			}
			if err == nil && own.Replay != before.Replay {
				err = r.put(ctx, "", orAuto(before.Replay))
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
			r, lacks := n.steppedRelay(c)
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
