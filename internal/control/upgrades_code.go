package control

import (
	"context"
	"encoding/json"
	"strings"

	"holdfast/internal/command"
	"holdfast/internal/continuity"
	"holdfast/internal/plan"
	"holdfast/internal/runbook"
	"holdfast/internal/upgrade"
)

// upgradeCode puts versions in place by commands that the settings allow.
type upgradeCode struct{ node *Node }

// told is what fills the fields of a command that a plan names.
type told struct {
	version string
	copied  string // the copy that it works on; empty: the data themselves
}

// order runs a command that a plan names, and returns the last line that it prints. What an earlier attempt under the same key
// left behind is ended first.
func (n *Node) order(ctx context.Context, call *plan.Call, with told, key string) (last string, err error) {
	if call == nil {
		return "", nil
	}
	fill := strings.NewReplacer("{version}", with.version, "{copy}", with.copied)
	params := map[string]string{"command": call.Command}
	for name, value := range call.With {
		params[name] = fill.Replace(value)
	}
	command.Sweep(n.attempt(key))
	r := n.commandAction().Do(ctx, runbook.Call{Run: &continuity.Run{ID: key}, Step: &runbook.Step{ID: call.Command, Do: "command", With: params}, Key: key})
	if r.Failed != nil {
		return "", faultOf(*r.Failed)
	}
	var o struct{ Output string }
	err = json.Unmarshal(r.Output, &o)
	text := strings.TrimSpace(o.Output)
	return strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:]), err
}

// Version implements upgrade.Code.
func (u upgradeCode) Version(ctx context.Context, c upgrade.Call) (string, error) {
	_, r, err := u.node.rollout(c)
	if err != nil {
		return "", err
	}
	return u.node.order(ctx, r.Version, told{version: c.Upgrade.To}, c.Key+"/version")
}

// Stop implements upgrade.Code.
func (u upgradeCode) Stop(ctx context.Context, c upgrade.Call) error {
	return u.part(ctx, c, upgrade.PartStop, c.Upgrade.From)
}

// Put implements upgrade.Code.
func (u upgradeCode) Put(ctx context.Context, c upgrade.Call, version string) error {
	return u.part(ctx, c, upgrade.PartPut, version)
}

// Start implements upgrade.Code.
func (u upgradeCode) Start(ctx context.Context, c upgrade.Call) error {
	version := c.Upgrade.To
	if c.Upgrade.Back != nil {
		version = c.Upgrade.Back.Version
	}
	return u.part(ctx, c, upgrade.PartStart, version)
}

// part does one part of a change.
func (u upgradeCode) part(ctx context.Context, c upgrade.Call, part, version string) error {
	_, r, err := u.node.rollout(c)
	if err != nil {
		return err
	}
	var call *plan.Call
	switch part {
	case upgrade.PartStop:
		call = r.Code.Stop
	case upgrade.PartPut:
		call = &r.Code.Put
	case upgrade.PartMigrate:
		if m := r.Migration; m != nil {
			var done context.CancelFunc
			ctx, done = context.WithTimeout(ctx, m.Within)
			defer done()
			call = &m.Up
		}
	case upgrade.PartStart:
		call = r.Code.Start
	}
	_, err = u.node.order(ctx, call, told{version: version}, c.Key+"/"+part)
	return err
}

// upgradeAction changes code and data of the upgrade that the run is for, as a whole or
// in parts. Each part can be repeated; what takes it back is the upgrade itself.
func (n *Node) upgradeAction() runbook.Action {
	of := func(ctx context.Context, c runbook.Call) (upgrade.Call, runbook.Result) {
		id, is := strings.CutPrefix(c.Run.About, continuity.KindUpgrade+"/")
		if !is {
			return upgrade.Call{}, failed("no-upgrade")
		}
		o, err := n.store.Get(ctx, continuity.KindUpgrade, id)
		var u continuity.Upgrade
		if err == nil {
			err = json.Unmarshal(o.Body, &u)
		}
		if err != nil {
			return upgrade.Call{}, failed("upgrade", "why", string(continuity.CodeOf(err)))
		}
		spec, ok := upgradeSpecs{n}.Of(u.Service, u.Upgrade)
		if !ok || u.Upgrade != c.Step.With["upgrade"] || u.Run != c.Run.ID {
			return upgrade.Call{}, failed("no-upgrade")
		}
		return upgrade.Call{Key: c.Run.ID + "/" + c.Step.ID, Spec: spec, Upgrade: u}, runbook.Result{}
	}
	parts := func(c runbook.Call) []string {
		if part := c.Step.With["part"]; part != "" {
			return []string{part}
		}
		return []string{upgrade.PartStop, upgrade.PartPut, upgrade.PartMigrate, upgrade.PartStart}
	}
	return runbook.Action{
		Again: true, Needs: rightSwitch,
		Do: func(ctx context.Context, c runbook.Call) runbook.Result {
			call, lacks := of(ctx, c)
			if call.Spec == nil {
				return lacks
			}
			for _, part := range parts(c) {
				if err := (upgradeCode{n}).part(ctx, call, part, call.Upgrade.To); err != nil {
					return failedBy(err, "command", part)
				}
			}
			return runbook.Result{Output: jsonOf(map[string]any{"version": call.Upgrade.To, "parts": parts(c)})}
		},
		Show: func(ctx context.Context, c runbook.Call) (continuity.CheckReason, *continuity.CheckReason) {
			_, lacks := of(ctx, c)
			return what("upgrade", "upgrade", c.Step.With["upgrade"], "parts", strings.Join(parts(c), ", ")), lacking(lacks)
		},
	}
}
