package main

import (
	"cmp"
	"maps"
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
				t.add(w.ID, w.Service, c.t("maintenance.states."+w.State), inZone(w.Start, w.Zone), c.windowEnd(w), c.readyOf(w), c.inExercise(w.Exercise, c.windowTitle(w)))
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
	c.windowCame(w)
	for _, line := range [][2]string{
		{"affected", strings.Join(w.Affected, ", ")}, {"reason", c.inLang(w.Reason)}, {"hits", c.inLang(w.Hits)}, {"meanwhile", c.inLang(w.Meanwhile)},
		{"contact", w.Contact}, {"standby", w.Standby}, {"despite", w.Despite}, {"exercise", w.Exercise},
	} {
		if line[1] != "" {
			c.say("cli.window.show."+line[0], "text", line[1])
		}
	}
	if w.Cancelled != "" {
		c.say("cli.window.show.cancelled", "text", c.t(w.Cancelled))
	}
	c.windowGaps(w)
	steps := table{head: c.heads("step", "due", "told", "when")}
	for _, x := range tellings(w, d.Ladder) {
		steps.add(c.rung(x.step), inZone(x.due, w.Zone), strings.Join(x.to, ", "), inZone(x.at, w.Zone))
	}
	c.table(steps)
	if len(w.Ready) > 0 {
		c.readiness(w.Ready)
	}
}

// windowEnd is when a window ends, or is expected to by now.
func (c *cli) windowEnd(w *continuity.Window) string {
	if w.Course.Expected.After(w.End) {
		return c.t("cli.window.expected-end", "at", inZone(w.Course.Expected, w.Zone))
	}
	return inZone(w.End, w.Zone)
}

// windowCame says what became of a window's end.
func (c *cli) windowCame(w *continuity.Window) {
	if w.Course.Expected.After(w.End) {
		c.say("cli.window.show.expected", "text", inZone(w.Course.Expected, w.Zone))
	}
	if w.Course.Failed != "" {
		why := w.Course.Failed
		if strings.HasPrefix(why, "course.failed.") {
			why = c.t(why)
		}
		c.say("cli.window.show.failed", "text", why)
	}
	if w.Incident != "" {
		c.say("cli.window.show.incident", "text", w.Incident)
	}
	switch {
	case w.State != continuity.WindowFailed:
	case w.Course.Restored.IsZero():
		c.say("cli.window.show.stands", "id", w.ID)
	default:
		c.say("cli.window.show.restored", "text", c.really(w.Course.Restored, w))
	}
}

// really is a real time, and says so where the window goes by another clock.
func (c *cli) really(at time.Time, w *continuity.Window) string {
	text := inZone(at, w.Zone)
	if w.Exercise != "" && text != "" {
		return c.t("cli.window.real", "at", text)
	}
	return text
}

// rung is a step of what is told of a window: so long before it, as plans write it, or
// what became of it.
func (c *cli) rung(step string) string {
	if _, earlier, ok := strings.Cut(step, ":"); ok {
		return c.t("cli.window.step.earlier", "step", c.rung(earlier))
	}
	unit := map[byte]time.Duration{'d': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute}[step[len(step)-1]]
	if n, err := strconv.Atoi(step[:len(step)-1]); err == nil && unit > 0 {
		if c.lang == catalogue.En {
			return step
		}
		return c.t("cli.window.step.before", "lasts", c.lasts(time.Duration(n)*unit))
	}
	name, _, _ := strings.Cut(step, "-") // what may come more than once is numbered
	return c.t("cli.window.step." + name)
}

// telling is a step of what is told of a window; to nobody and at no time: it was not.
type telling struct {
	step string
	due  time.Time
	to   []string
	at   time.Time
}

// tellings are the notices of a window with who was told them when, and then what else
// was told of it. Nothing stands as told but what the ledger has.
func tellings(w *continuity.Window, ladder []maintenance.Rung) (all []telling) {
	said := map[string][]telling{}
	for _, key := range slices.Sorted(maps.Keys(w.Told)) {
		step, audience, ok := strings.Cut(key, "/")
		if !ok {
			continue // those in charge
		}
		i := slices.IndexFunc(said[step], func(x telling) bool { return x.at.Equal(w.Told[key]) })
		if i < 0 {
			i, said[step] = len(said[step]), append(said[step], telling{step: step, at: w.Told[key]})
		}
		said[step][i].to = append(said[step][i].to, audience)
	}
	for _, rung := range ladder {
		told := said[rung.Step]
		delete(said, rung.Step)
		if len(told) == 0 {
			told = []telling{{step: rung.Step}}
		}
		for _, x := range told {
			x.due = rung.Due
			all = append(all, x)
		}
	}
	var rest []telling
	for _, step := range slices.Sorted(maps.Keys(said)) {
		rest = append(rest, said[step]...)
	}
	turn := func(t telling) int { return slices.Index(w.Tellings, t.step+"/"+t.to[0]) }
	slices.SortStableFunc(rest, func(a, b telling) int { return cmp.Or(a.at.Compare(b.at), turn(a)-turn(b)) })
	return append(all, rest...)
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
