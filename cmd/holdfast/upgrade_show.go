package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/upgrade"
)

// watchUpgrade prints how an upgrade stands, once or until it is over or waits for a
// person: over itself on a terminal, elsewhere whenever it has come to another stage.
func (c *cli) watchUpgrade(cmd *cobra.Command, node *controlapi.Client, id string, watch bool) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	lines, visit := 0, -1
	over := watch && terminal(c.out) && !c.json
	for {
		u, _, err := controlapi.Get[continuity.Upgrade](cmd.Context(), node, upgradePath(id), nil)
		if err != nil {
			return err
		}
		done := !watch || u.Over() || u.State == continuity.UpgradeWaiting || u.State == continuity.UpgradePlanned && u.Stage != "look"
		switch {
		case over:
			text := c.upgradeText(&u)
			if lines > 0 {
				fmt.Fprintf(c.out, "\033[%dA\033[J", lines)
			}
			lines = strings.Count(text, "\n")
			fmt.Fprint(c.out, text)
		case visit != u.Visit || done:
			if err := c.show(u, func() { c.showUpgrade(&u) }); err != nil {
				return err
			}
		}
		visit = u.Visit
		if done {
			if u.State == continuity.UpgradeWaiting || u.State == continuity.UpgradeRolled {
				return findings{}
			}
			return nil
		}
		select {
		case <-cmd.Context().Done():
			return nil
		case <-tick.C:
		}
	}
}

// upgradeText is what is shown of an upgrade.
func (c *cli) upgradeText(u *continuity.Upgrade) string {
	var text bytes.Buffer
	other := *c
	other.out = &text
	other.showUpgrade(u)
	return text.String()
}

func (c *cli) showUpgradeHead(u *continuity.Upgrade) {
	c.say("cli.upgrade.show.head", "id", u.ID, "name", clean(u.Upgrade), "from", orDash(u.From), "to", clean(u.To), "good", orDash(u.Good), "state", c.term("upgrade.state.", u.State),
		"since", clock(u.Since), "by", clean(c.actor(u.By)))
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return clean(text)
}

func (c *cli) showFindings(all []continuity.UpgradeFinding) {
	t := table{head: c.heads("what", "state", "why", "advice"), none: c.t("cli.upgrade.plan.well")}
	for i := range all {
		f := &all[i]
		advice := ""
		if f.Advice.Code != "" {
			advice = clean(upgrade.Because(c.lang, f.Advice))
		}
		t.add(f.ID, c.t("cli.upgrade.level."+f.Level), clean(upgrade.Because(c.lang, f.Reason)), advice)
	}
	c.table(t)
}

func (c *cli) showUpgrade(u *continuity.Upgrade) {
	c.showUpgradeHead(u)
	line := func(id string, args ...any) { c.say("cli.upgrade.show."+id, args...) }
	if stage := c.term("upgrade.stage.", u.Stage); stage != c.term("upgrade.state.", u.State) { // else it is said
		line("stage", "stage", stage, "at", clock(lastMark(u)))
	}
	if u.Trying != nil {
		line("trying", "count", u.Tries, "why", clean(upgrade.Because(c.lang, *u.Trying)))
	}
	if u.Asks != nil {
		line("asks", "why", clean(upgrade.Because(c.lang, *u.Asks)))
	}
	if f := u.Failure; f != nil {
		line("failure", "class", c.term("upgrade.class.", f.Class), "at", clock(f.At), "why", clean(upgrade.Because(c.lang, f.Reasons...)))
		if f.Step != "" {
			line("step", "step", f.Step)
		}
	}
	if b := u.Back; b != nil {
		line("back", "version", clean(b.Version), "way", c.term("upgrade.way.", orWay(b.Way)), "count", u.Rollbacks, "minutes", b.Minutes, "records", b.Records, "again", b.Redelivered)
	}
	if !u.Held.IsZero() {
		line("held", "at", clock(u.Held), "released", clock(u.Released))
	}
	if !u.Bake.IsZero() {
		line("bake", "at", clock(u.Bake))
	}
	if r := u.Rehearsal; r != nil {
		why := "-"
		if r.NoDown != nil {
			why = clean(upgrade.Because(c.lang, *r.NoDown))
		}
		line("rehearsal", "up", c.lasts(r.Up), "down", c.lasts(r.Down), "restore", c.lasts(r.Restore), "why", why)
	}
	for _, s := range u.Sets {
		line("set", "set", s.Set, "backup", orDash(s.Backup), "taken", orClock(s.Taken), "proven", orClock(s.Proven))
	}
	for _, a := range u.Approvals {
		records := map[string]any{}
		upgrade.SayRecords(records, "records", a.Records)
		args := []any{"name", clean(a.By.ID), "at", clock(a.At), "minutes", a.Minutes}
		for name, value := range records {
			args = append(args, name, value)
		}
		line("approval", args...)
	}
	if u.Run != "" {
		line("run", "run", u.Run, "steps", orDash(strings.Join(u.Checked, ", ")))
	}
}

func orWay(way string) string {
	if way == "" {
		return continuity.UpgradeUntouched
	}
	return way
}

func orClock(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return clock(at)
}

// lastMark is when an upgrade came to its stage.
func lastMark(u *continuity.Upgrade) time.Time {
	if len(u.Trail) == 0 {
		return u.Since
	}
	return u.Trail[len(u.Trail)-1].At
}
