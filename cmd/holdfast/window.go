package main

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/maintenance"
)

func (c *cli) windowCommand() *cobra.Command {
	cmd := c.onNode(c.group("window", "window"))
	cmd.AddCommand(
		c.windowProposeCommand(), c.windowPlanCommand(), c.windowListCommand(), c.windowShowCommand(), c.windowChangeCommand(),
		c.windowCancelCommand(), c.windowReadyCommand(), c.windowSeriesCommand(),
	)
	cmd.AddCommand(c.windowCourseCommands()...)
	return cmd
}

// windowWords are the flags that say what a window is like.
type windowWords struct {
	at, until                      string
	lasts                          time.Duration
	title, reason, hits, meanwhile string
	contact, standby, despite      string
	affected                       []string
}

func (c *cli) windowFlags(cmd *cobra.Command, w *windowWords) {
	f := cmd.Flags()
	f.StringVar(&w.at, "at", "", c.t("cli.flag.window-at"))
	f.StringVar(&w.until, "until", "", c.t("cli.flag.window-until"))
	f.DurationVar(&w.lasts, "for", 0, c.t("cli.flag.window-for"))
	f.StringVar(&w.despite, "despite", "", c.t("cli.flag.window-despite"))
	c.windowTextFlags(cmd, w)
}

func (c *cli) windowTextFlags(cmd *cobra.Command, w *windowWords) {
	f := cmd.Flags()
	f.StringVar(&w.title, "title", "", c.t("cli.flag.window-title"))
	f.StringVar(&w.reason, "reason", "", c.t("cli.flag.window-reason"))
	f.StringVar(&w.hits, "hits", "", c.t("cli.flag.window-hits"))
	f.StringVar(&w.meanwhile, "meanwhile", "", c.t("cli.flag.window-meanwhile"))
	f.StringVar(&w.contact, "contact", "", c.t("cli.flag.window-contact"))
	f.StringVar(&w.standby, "standby", "", c.t("cli.flag.window-standby"))
	f.StringSliceVar(&w.affected, "affected", nil, c.t("cli.flag.window-affected"))
}

// bothWays is what somebody wrote, for readers of either language.
func bothWays(text string) continuity.Text { return continuity.Text{En: text, Zh: text} }

// whose is the clock by which a time is meant that names no zone.
type whose func() (*time.Location, error)

// read reads a time. Who plans a window means the clock of its people, wherever they
// sit themselves.
func (z whose) read(text string) (time.Time, error) {
	if _, err := laterMoment(text); err != nil {
		return time.Time{}, err
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC(), nil
	}
	zone, err := z()
	if err != nil {
		return time.Time{}, err
	}
	return momentOf(text, zone)
}

// ofService is the clock of a service's people.
func ofService(ctx context.Context, node *controlapi.Client, service string) whose {
	return func() (*time.Location, error) {
		from := time.Now().UTC().AddDate(0, 0, 1) // a search that finds next to nothing says it, too
		query := url.Values{
			"service": {service}, "minutes": {"1"}, "count": {"1"},
			"from": {from.Format(time.RFC3339)}, "until": {from.Add(time.Minute).Format(time.RFC3339)},
		}
		found, _, err := controlapi.Get[controlapi.WindowProposals](ctx, node, "/windows/proposals", query)
		return zoned(found.Zone), err
	}
}

// ofWindow is the clock of a window's people.
func ofWindow(w *continuity.Window) whose {
	return func() (*time.Location, error) { return zoned(w.Zone), nil }
}

// draft is what the flags say; start is where a window begins that has none of its
// own.
func (w *windowWords) draft(cmd *cobra.Command, start time.Time, clock whose) (d controlapi.WindowDraft, err error) {
	said := func(flag string) bool { return cmd.Flags().Changed(flag) }
	words := func(flag, text string, to **continuity.Text) {
		if said(flag) {
			t := bothWays(text)
			*to = &t
		}
	}
	words("title", w.title, &d.Title)
	words("reason", w.reason, &d.Reason)
	words("hits", w.hits, &d.Hits)
	words("meanwhile", w.meanwhile, &d.Meanwhile)
	if said("contact") {
		d.Contact = &w.contact
	}
	if said("standby") {
		d.Standby = &w.standby
	}
	if said("affected") {
		d.Affected = &w.affected
	}
	d.Despite = w.despite
	if w.at != "" {
		if start, err = clock.read(w.at); err != nil {
			return d, err
		}
		d.Start = &start
	}
	switch {
	case w.until != "" && w.lasts == 0:
		end, err := clock.read(w.until)
		if err != nil {
			return d, err
		}
		d.End = &end
	case w.lasts > 0 && w.until == "":
		end := start.Add(w.lasts)
		d.End = &end
	case w.lasts != 0 || w.until != "":
		return d, invalid("cli.invalid.window-end")
	}
	return d, nil
}

func (c *cli) windowProposeCommand() *cobra.Command {
	var words windowWords
	var service, from, to, exercise string
	var emergency bool
	var count int
	cmd := c.command("propose <service> --for 2h", "window.propose", exactly(1), func(cmd *cobra.Command, args []string) error {
		service = args[0]
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		start := time.Now().UTC().Truncate(time.Second)
		if words.at == "" && !emergency {
			return c.proposals(cmd, node, service, exercise, from, to, words.lasts, count)
		}
		draft, err := words.draft(cmd, start, ofService(cmd.Context(), node, service))
		if err != nil {
			return err
		}
		b := controlapi.NewWindow{WindowDraft: draft, Service: service, Exercise: exercise, Kind: continuity.WindowPlanned}
		if emergency {
			b.Kind = continuity.WindowEmergency
		}
		w, err := controlapi.Post[continuity.Window](cmd.Context(), node, "/windows", b)
		if err != nil {
			return err
		}
		c.warnMute(cmd.Context(), node)
		return c.show(w, func() {
			c.say("cli.window.propose.done", "id", w.ID, "start", inZone(w.Start, w.Zone), "end", inZone(w.End, w.Zone))
			c.windowGaps(&w)
		})
	})
	c.windowFlags(cmd, &words)
	f := cmd.Flags()
	f.BoolVar(&emergency, "emergency", false, c.t("cli.flag.window-emergency"))
	f.StringVar(&from, "search-from", "", c.t("cli.flag.window-search-from"))
	f.StringVar(&to, "search-until", "", c.t("cli.flag.window-search-until"))
	f.IntVarP(&count, "count", "n", 5, c.t("cli.flag.window-count"))
	f.StringVar(&exercise, "exercise", "", c.t("cli.flag.window-exercise"))
	return cmd
}

// proposals asks for times, and shows them.
func (c *cli) proposals(cmd *cobra.Command, node *controlapi.Client, service, exercise, from, until string, lasts time.Duration, count int) error {
	if lasts < time.Minute {
		return invalid("cli.invalid.window-end")
	}
	query := url.Values{"service": {service}, "minutes": {strconv.Itoa(int(lasts / time.Minute))}, "count": {strconv.Itoa(count)}, "exercise": {exercise}}
	for name, text := range map[string]string{"from": from, "until": until} {
		if text != "" {
			at, err := ofService(cmd.Context(), node, service).read(text)
			if err != nil {
				return err
			}
			query.Set(name, at.Format(time.RFC3339))
		}
	}
	found, _, err := controlapi.Get[controlapi.WindowProposals](cmd.Context(), node, "/windows/proposals", query)
	if err != nil {
		return err
	}
	return c.show(found, func() {
		t := table{head: c.heads("from", "until", "low-traffic", "traffic", "working"), none: c.t("cli.window.propose.none")}
		for _, p := range found.Items {
			t.add(inZone(p.Start, found.Zone), inZone(p.End, found.Zone), c.yes(p.Placed.Low), share(&p.Placed), c.lasts(time.Duration(p.Placed.Minutes)*time.Minute))
		}
		c.table(t)
		if len(found.Items) > 0 { // a list made anew may have others
			c.say("cli.window.propose.how", "service", service, "at", found.Items[0].Start.In(zoned(found.Zone)).Format(time.RFC3339), "lasts", typedLength(lasts), "exercise", exercise)
		}
	})
}

func (c *cli) yes(is bool) string {
	if is {
		return c.t("cli.label.yes")
	}
	return c.t("cli.label.no")
}

// share is how much live traffic a window's hours have, by the mean hour.
func share(p *continuity.Placed) string {
	if p.Share < 0 {
		return "?"
	}
	return fmt.Sprintf("%.0f %%", p.Share*100)
}

// windowGaps says what stands in the way of planning a window.
func (c *cli) windowGaps(w *continuity.Window) {
	for _, id := range w.Lacks {
		c.say("cli.window.lacks", "what", c.t("maintenance.lacks."+id))
	}
	if w.Placed != nil {
		for _, f := range w.Placed.Falls {
			c.say("cli.window.falls", "kind", c.t("maintenance.falls."+f.Kind), "id", f.ID, "title", f.Title, "start", inZone(f.Start, w.Zone), "end", inZone(f.End, w.Zone))
		}
		if w.Placed.Outside {
			c.say("cli.window.outside")
		}
		for _, id := range w.Placed.Blind {
			c.say("cli.window.blind", "id", id)
		}
	}
}

// onWindow changes a window in the version that it is in now.
func (c *cli) onWindow(cmd *cobra.Command, id, verb string, body func(*continuity.Window) (any, error)) (w continuity.Window, err error) {
	node, err := c.connectControl()
	if err != nil {
		return w, err
	}
	path := "/windows/" + url.PathEscape(id)
	old, version, err := controlapi.Get[maintenance.WindowDetail](cmd.Context(), node, path, nil)
	if err != nil {
		return w, err
	}
	b, err := body(&old.Window)
	if err != nil {
		return w, err
	}
	w, _, err = controlapi.Put[continuity.Window](cmd.Context(), node, path+verb, version, b)
	return w, err
}

func (c *cli) windowPlanCommand() *cobra.Command {
	var despite string
	var waive []string
	cmd := c.command("plan <window>", "window.plan", exactly(1), func(cmd *cobra.Command, args []string) error {
		b := controlapi.WindowPlan{Despite: despite, Waive: map[string]string{}}
		for _, one := range waive {
			item, why, ok := strings.Cut(one, "=")
			if !ok || strings.TrimSpace(why) == "" {
				return invalid("cli.invalid.window-waive")
			}
			b.Waive[item] = why
		}
		w, err := c.onWindow(cmd, args[0], "/schedule", func(*continuity.Window) (any, error) { return b, nil })
		if err != nil {
			return err
		}
		return c.show(w, func() {
			c.say("cli.window.plan.done", "id", w.ID, "start", inZone(w.Start, w.Zone), "end", inZone(w.End, w.Zone))
			if w.Placed != nil && w.Placed.Outside {
				c.say("cli.window.outside")
			}
		})
	})
	cmd.Flags().StringVar(&despite, "despite", "", c.t("cli.flag.window-despite"))
	cmd.Flags().StringArrayVar(&waive, "waive", nil, c.t("cli.flag.window-waive"))
	return cmd
}

func (c *cli) windowChangeCommand() *cobra.Command {
	var words windowWords
	cmd := c.command("change <window>", "window.change", exactly(1), func(cmd *cobra.Command, args []string) error {
		w, err := c.onWindow(cmd, args[0], "/change", func(old *continuity.Window) (any, error) {
			d, err := words.draft(cmd, old.Start, ofWindow(old))
			if err == nil && d.Start != nil && d.End == nil { // it lasts as long as before
				end := d.Start.Add(old.End.Sub(old.Start))
				d.End = &end
			}
			return d, err
		})
		if err != nil {
			return err
		}
		return c.show(w, func() {
			c.say("cli.window.change.done", "id", w.ID, "start", inZone(w.Start, w.Zone), "end", inZone(w.End, w.Zone))
			c.windowGaps(&w)
		})
	})
	c.windowFlags(cmd, &words)
	return cmd
}

func (c *cli) windowCancelCommand() *cobra.Command {
	var why string
	cmd := c.command("cancel <window> --why REASON", "window.cancel", exactly(1), func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(why) == "" {
			return invalid("maintenance.invalid.why")
		}
		w, err := c.onWindow(cmd, args[0], "/cancel", func(*continuity.Window) (any, error) {
			return controlapi.WindowCancel{Reason: bothWays(why)}, nil
		})
		if err != nil {
			return err
		}
		return c.show(w, func() { c.say("cli.window.cancel.done", "id", w.ID) })
	})
	cmd.Flags().StringVar(&why, "why", "", c.t("cli.flag.window-why"))
	return cmd
}

func (c *cli) windowReadyCommand() *cobra.Command {
	var waive, note string
	var no, undo bool
	cmd := c.command("ready <window> [item]", "window.ready", atMost(2), func(cmd *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return invalid("cli.invalid.window")
		case 1:
			node, err := c.connectControl()
			if err != nil {
				return err
			}
			d, _, err := controlapi.Get[maintenance.WindowDetail](cmd.Context(), node, "/windows/"+url.PathEscape(args[0]), nil)
			if err != nil {
				return err
			}
			return c.show(d.Ready, func() { c.readiness(d.Ready) })
		}
		b := controlapi.WindowReady{State: maintenance.ReadyYes, Reason: note}
		switch {
		case waive != "":
			b = controlapi.WindowReady{State: maintenance.ReadyWaived, Reason: waive}
		case undo:
			b.State = maintenance.ReadyUnknown
		case no:
			b.State = maintenance.ReadyNo
		}
		w, err := c.onWindow(cmd, args[0], "/ready/"+url.PathEscape(args[1]), func(*continuity.Window) (any, error) { return b, nil })
		if err != nil {
			return err
		}
		return c.show(w, func() { c.readiness(w.Ready) })
	})
	f := cmd.Flags()
	f.StringVar(&waive, "waive", "", c.t("cli.flag.window-ready-waive"))
	f.StringVar(&note, "note", "", c.t("cli.flag.window-ready-note"))
	f.BoolVar(&no, "no", false, c.t("cli.flag.window-ready-no"))
	f.BoolVar(&undo, "undo", false, c.t("cli.flag.window-ready-undo"))
	return cmd
}

// readiness lists what must be so before a window begins.
func (c *cli) readiness(all []continuity.Readiness) {
	t := table{head: c.heads("item", "state", "by", "why", "when"), none: c.t("cli.window.ready.none")}
	for _, r := range all {
		why := ""
		if r.Reason.Code != "" {
			var pairs []any
			for name, v := range r.Reason.Args {
				pairs = append(pairs, name, v)
			}
			why = c.t(r.Reason.Code, pairs...)
		}
		t.add(r.ID, c.t("maintenance.readiness."+r.State), r.By, why, clock(r.At))
	}
	c.table(t)
}

// typedLength is a length as people type it: 2h, and not 2h0m0s.
func typedLength(d time.Duration) string {
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}
