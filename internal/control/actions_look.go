package control

import (
	"cmp"
	"context"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/runbook"
)

// checkAction looks whether a check is up, for as long as the step may take; one
// without a time, once.
func (n *Node) checkAction() runbook.Action {
	return runbook.Action{
		Again: true,
		Do: func(ctx context.Context, c runbook.Call) runbook.Result {
			return n.lookAt(ctx, c, string(continuity.CheckUp), c.Until)
		},
		Show: n.showLook,
	}
}

// waitAction waits for a check's state, or for what measures say. The engine ends it
// when its time is over.
func (n *Node) waitAction() runbook.Action {
	return runbook.Action{
		Again: true, Waits: true,
		Do: func(ctx context.Context, c runbook.Call) runbook.Result {
			far := time.Now().Add(10 * 365 * 24 * time.Hour)
			if expr := c.Step.With["query"]; expr != "" {
				if waitUntil(ctx, far, func(ctx context.Context) bool { is, _ := eyes{n}.query(ctx, expr); return is }) {
					return runbook.Result{}
				}
				return failed("wait", "what", expr)
			}
			return n.lookAt(ctx, c, cmp.Or(c.Step.With["state"], string(continuity.CheckUp)), far)
		},
		Show: n.showLook,
	}
}

func (n *Node) lookAt(ctx context.Context, c runbook.Call, want string, at time.Time) runbook.Result {
	id := c.Run.Service + "/" + c.Step.With["check"]
	var state continuity.CheckState
	var why continuity.CheckReason
	looks := 0
	is := waitUntil(ctx, at, func(ctx context.Context) bool {
		state, why = eyes{n}.check(ctx, c.Run.Service, id, c.Step.With["via"])
		looks++
		return string(state) == want || want == string(continuity.CheckUp) && state == continuity.CheckDegraded
	})
	output := jsonOf(map[string]any{"check": id, "state": state, "looks": looks})
	if is {
		return runbook.Result{Output: output}
	}
	r := failed("check", "check", id, "state", string(state), "state_text", "cli.check.state."+string(state))
	if why.Code != "" && want == string(continuity.CheckUp) {
		r.Failed = &why
	}
	r.Output = output
	return r
}

func (n *Node) showLook(ctx context.Context, c runbook.Call) (continuity.CheckReason, *continuity.CheckReason) {
	if expr := c.Step.With["query"]; expr != "" {
		_, err := n.measures.Query(ctx, expr, time.Now())
		if err != nil {
			return what("query", "what", expr), &continuity.CheckReason{Code: "runbook.look.query", Args: map[string]any{"why": string(continuity.CodeOf(err))}}
		}
		return what("query", "what", expr), nil
	}
	id := c.Run.Service + "/" + c.Step.With["check"]
	v, known := n.checks.Verdict(id)
	if !known {
		return what("look", "check", id, "state", "-"), &continuity.CheckReason{Code: "runbook.look.no-check", Args: map[string]any{"check": id}}
	}
	return what("look", "check", id, "state", string(v.State), "state_text", "cli.check.state."+string(v.State)), nil
}
