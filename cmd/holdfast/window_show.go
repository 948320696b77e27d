package main

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/maintenance"
)

func (c *cli) windowListCommand() *cobra.Command {
	var state string
	var all bool
	cmd := c.command("list [service]", "window.list", atMost(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		query := url.Values{}
		if len(args) == 1 {
			query.Set("service", args[0])
		}
		if state != "" {
			for _, id := range windowStates { // as it is shown, or as programs say it
				if state == c.t("maintenance.states."+id) {
					state = id
				}
			}
			query.Set("state", state)
		}
		if all {
			query.Set("all", "true")
		}
		found, err := controlapi.List[continuity.Window](cmd.Context(), node, "/windows", query, 0)
		if err != nil {
			return err
		}
		return c.show(found, func() {
			slices.SortStableFunc(found, func(a, b continuity.Window) int { return a.Start.Compare(b.Start) })
			t := table{head: c.heads("window", "service", "state", "from", "until", "ready", "title"), none: c.t("cli.window.list.none")}
			for i := range found {
				w := &found[i]
				t.add(w.ID, w.Service, c.t("maintenance.states."+w.State), inZone(w.Start, w.Zone), inZone(w.End, w.Zone), c.readyOf(w), c.inExercise(w.Exercise, c.windowTitle(w)))
			}
			c.table(t)
		})
	})
	cmd.Flags().StringVar(&state, "state", "", c.t("cli.flag.window-state"))
	cmd.Flags().BoolVar(&all, "all", false, c.t("cli.flag.window-all"))
	return cmd
}

var windowStates = []string{
	continuity.WindowProposed, continuity.WindowScheduled, continuity.WindowRunning, continuity.WindowOverrun, continuity.WindowVerifying,
	continuity.WindowReadmitting, continuity.WindowDone, continuity.WindowCancelled, continuity.WindowFailed,
}

func (c *cli) windowTitle(w *continuity.Window) string {
	if t := c.inLang(w.Title); t != "" {
		return t
	}
	return c.t("maintenance.title." + w.Kind)
}

func (c *cli) inLang(t continuity.Text) string {
	if c.lang == "zh" && t.Zh != "" || t.En == "" {
		return t.Zh
	}
	return t.En
}

// readyOf is how many of the things that must be so are.
func (c *cli) readyOf(w *continuity.Window) string {
	if len(w.Ready) == 0 {
		return ""
	}
	var open []string
	for _, r := range w.Ready {
		if r.State != maintenance.ReadyYes && r.State != maintenance.ReadyWaived {
			open = append(open, r.ID)
		}
	}
	if len(open) == 0 {
		return c.t("cli.label.yes")
	}
	return c.t("cli.window.open", "items", strings.Join(open, ", "))
}

func (c *cli) windowShowCommand() *cobra.Command {
	return c.command("show <window>", "window.show", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		d, _, err := controlapi.Get[maintenance.WindowDetail](cmd.Context(), node, "/windows/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		return c.show(d, func() { c.windowDetail(&d) })
	})
}

func (c *cli) windowDetail(d *maintenance.WindowDetail) {
	w := &d.Window
	c.say("cli.window.show.head", "id", w.ID, "title", c.windowTitle(w), "service", w.Service, "state", c.t("maintenance.states."+w.State))
	c.say("cli.window.show.when", "start", inZone(w.Start, w.Zone), "end", inZone(w.End, w.Zone), "zone", w.Zone)
	for id, text := range map[string]string{
		"reason": c.inLang(w.Reason), "affected": strings.Join(w.Affected, ", "), "hits": c.inLang(w.Hits), "meanwhile": c.inLang(w.Meanwhile),
		"contact": w.Contact, "standby": w.Standby, "despite": w.Despite, "exercise": w.Exercise,
	} {
		if text != "" {
			defer c.say("cli.window.show."+id, "text", text)
		}
	}
	if w.Cancelled != "" {
		c.say("cli.window.show.cancelled", "text", c.t(w.Cancelled))
	}
	c.windowGaps(w)
	steps := table{head: c.heads("step", "time", "told")}
	for _, rung := range d.Ladder {
		steps.add(c.rung(rung.Step), inZone(rung.Due, w.Zone), strings.Join(toldOf(w, rung.Step), ", "))
	}
	for _, step := range []string{maintenance.StepStart, maintenance.StepOverrun, maintenance.StepEnd, maintenance.StepCancelled} {
		if told := toldOf(w, step); len(told) > 0 {
			steps.add(c.rung(step), "", strings.Join(told, ", "))
		}
	}
	c.table(steps)
	if len(w.Ready) > 0 {
		c.readiness(w.Ready)
	}
}

// rung is a step of the notices: so long before a window, or what became of it.
func (c *cli) rung(step string) string {
	if c.lang == catalogue.En {
		return step // as plans write it
	}
	if n, err := strconv.Atoi(step[:len(step)-1]); err == nil {
		unit := map[byte]time.Duration{'d': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute}[step[len(step)-1]]
		return c.t("cli.window.step.before", "lasts", c.lasts(time.Duration(n)*unit))
	}
	return c.t("cli.window.step." + step)
}

// toldOf are the audiences that were told a step.
func toldOf(w *continuity.Window, step string) (all []string) {
	for key := range w.Told {
		if s, audience, ok := strings.Cut(key, "/"); ok && s == step {
			all = append(all, audience)
		}
	}
	slices.Sort(all)
	return all
}

// inZone is a time as the people of a window read it, with the offset: whoever types
// one may sit elsewhere.
func inZone(at time.Time, zone string) string {
	if at.IsZero() {
		return ""
	}
	return at.In(zoned(zone)).Format("2006-01-02 15:04 UTC-07:00")
}

// zoned is a zone by its name; this machine's where there is none.
func zoned(name string) *time.Location {
	where, err := time.LoadLocation(name)
	if err != nil || name == "" {
		return time.Local
	}
	return where
}
