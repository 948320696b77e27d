package main

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/maintenance"
)

// windowCourseCommands are those of windows from their start.
func (c *cli) windowCourseCommands() []*cobra.Command {
	return []*cobra.Command{
		c.windowStartCommand(), c.windowExtendCommand(), c.windowCompleteCommand(), c.windowVerifyCommand(), c.windowReadmitCommand(),
		c.windowReleaseCommand(), c.windowCheckInCommand(), c.windowFeedbackCommand(), c.windowReviewCommand(), c.windowCourseCommand(),
	}
}

// editWindow changes a window as it is now, and shows what became of it.
func (c *cli) editWindow(cmd *cobra.Command, id, path string, body any, say func(continuity.Window)) error {
	node, err := c.connectControl()
	if err != nil {
		return err
	}
	at := "/windows/" + url.PathEscape(id)
	_, version, err := controlapi.Get[maintenance.WindowDetail](cmd.Context(), node, at, nil)
	if err != nil {
		return err
	}
	w, _, err := controlapi.Put[continuity.Window](cmd.Context(), node, at+path, version, body)
	if err != nil {
		return err
	}
	return c.show(w, func() { say(w) })
}

func (c *cli) windowBecame(w continuity.Window) {
	c.say("cli.window.became", "id", w.ID, "state", c.t("maintenance.states."+w.State))
}

func (c *cli) windowStartCommand() *cobra.Command {
	var why string
	cmd := c.command("start <window>", "window.start", exactly(1), func(cmd *cobra.Command, args []string) error {
		return c.editWindow(cmd, args[0], "/start", controlapi.WindowStart{Why: why}, func(w continuity.Window) {
			c.say("cli.window.start.done", "id", w.ID, "start", inZone(w.Start, w.Zone), "end", inZone(w.End, w.Zone))
		})
	})
	cmd.Flags().StringVar(&why, "why", "", c.t("cli.flag.window-early"))
	return cmd
}

func (c *cli) windowExtendCommand() *cobra.Command {
	var until, reason string
	var by time.Duration
	cmd := c.command("extend <window> --until TIME", "window.extend", exactly(1), func(cmd *cobra.Command, args []string) (err error) {
		var b controlapi.WindowExtend
		switch {
		case until != "" && by == 0:
			b.End, err = c.untilOf(cmd, args[0], until)
		case until == "" && by > 0:
			b.End, err = c.longer(cmd, args[0], by)
		default:
			err = invalid("cli.invalid.window-extend")
		}
		if err != nil {
			return err
		}
		if reason != "" {
			b.Reason = continuity.Text{En: reason, Zh: reason}
		}
		return c.editWindow(cmd, args[0], "/extend", b, func(w continuity.Window) { c.say("cli.window.extend.done", "id", w.ID, "end", inZone(b.End, w.Zone)) })
	})
	f := cmd.Flags()
	f.StringVar(&until, "until", "", c.t("cli.flag.window-new-end"))
	f.DurationVar(&by, "for", 0, c.t("cli.flag.window-longer"))
	f.StringVar(&reason, "reason", "", c.t("cli.flag.window-extend-reason"))
	return cmd
}

// longer is so much later than a window was to end.
func (c *cli) longer(cmd *cobra.Command, id string, long time.Duration) (time.Time, error) {
	node, err := c.connectControl()
	if err != nil {
		return time.Time{}, err
	}
	at := "/windows/" + url.PathEscape(id)
	d, _, err := controlapi.Get[maintenance.WindowDetail](cmd.Context(), node, at, nil)
	if err != nil {
		return time.Time{}, err
	}
	now, err := clockOf(cmd.Context(), node, at)()
	return putOff(&d.Window, now, long), err
}

// putOff is a time so long after the end that people know of; where that is past by the
// window's clock, after now.
func putOff(w *continuity.Window, now time.Time, long time.Duration) time.Time {
	from := now
	for _, end := range []time.Time{w.End, w.Course.Expected} {
		if end.After(from) {
			from = end
		}
	}
	return from.UTC().Add(long).Truncate(time.Second)
}

// untilOf reads a time by the clock of a window's people.
func (c *cli) untilOf(cmd *cobra.Command, id, text string) (time.Time, error) {
	return whose(func() (*time.Location, error) {
		node, err := c.connectControl()
		if err != nil {
			return nil, err
		}
		d, _, err := controlapi.Get[maintenance.WindowDetail](cmd.Context(), node, "/windows/"+url.PathEscape(id), nil)
		return zoned(d.Zone), err
	}).read(text)
}

func (c *cli) windowCompleteCommand() *cobra.Command {
	var failed string
	cmd := c.command("complete <window>", "window.complete", exactly(1), func(cmd *cobra.Command, args []string) error {
		return c.editWindow(cmd, args[0], "/complete", controlapi.WindowComplete{Failed: failed}, func(w continuity.Window) {
			if w.State == continuity.WindowRunning || w.State == continuity.WindowOverrun { // others have to say so, too
				c.say("cli.window.complete.waits", "id", w.ID, "items", strings.Join(c.unsaid(cmd, w.ID), ", "))
				return
			}
			c.windowBecame(w)
		})
	})
	cmd.Flags().StringVar(&failed, "failed", "", c.t("cli.flag.window-failed"))
	return cmd
}

// unsaid are the sources that have not said that the work of a window is done.
func (c *cli) unsaid(cmd *cobra.Command, id string) (names []string) {
	node, err := c.connectControl()
	if err != nil {
		return nil
	}
	s, _, err := controlapi.Get[maintenance.WindowCourse](cmd.Context(), node, "/windows/"+url.PathEscape(id)+"/course", nil)
	for _, x := range s.Sources {
		if err == nil && x.Said.IsZero() {
			names = append(names, x.ID)
		}
	}
	return names
}

func (c *cli) windowVerifyCommand() *cobra.Command {
	var broken string
	cmd := c.command("verify <window> <item>", "window.verify", exactly(2), func(cmd *cobra.Command, args []string) error {
		body := controlapi.WindowVerify{Works: broken == "", Note: broken}
		return c.editWindow(cmd, args[0], "/verify/"+url.PathEscape(strings.TrimPrefix(args[1], "item/")), body, c.windowBecame)
	})
	cmd.Flags().StringVar(&broken, "broken", "", c.t("cli.flag.window-broken"))
	return cmd
}

func (c *cli) windowReadmitCommand() *cobra.Command {
	var why string
	cmd := c.command("readmit <window> --why REASON", "window.readmit", exactly(1), func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(why) == "" {
			return invalid("cli.invalid.why")
		}
		return c.editWindow(cmd, args[0], "/readmit", controlapi.WindowWhy{Why: why}, func(w continuity.Window) {
			c.say("cli.window.readmit.done", "id", w.ID, "batch", w.Batch)
		})
	})
	cmd.Flags().StringVar(&why, "why", "", c.t("cli.flag.why"))
	return cmd
}

func (c *cli) windowReleaseCommand() *cobra.Command {
	var why string
	cmd := c.command("release <window> --why REASON", "window.release", exactly(1), func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(why) == "" {
			return invalid("cli.invalid.why")
		}
		return c.editWindow(cmd, args[0], "/release", controlapi.WindowWhy{Why: why}, c.windowBecame)
	})
	cmd.Flags().StringVar(&why, "why", "", c.t("cli.flag.why"))
	return cmd
}

func (c *cli) windowCheckInCommand() *cobra.Command {
	var broken, text, person string
	cmd := c.command("check-in <window>", "window.check-in", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		b := controlapi.WindowCheckIn{Works: broken == "", Text: text + broken, Person: person}
		w, err := controlapi.Post[continuity.Window](cmd.Context(), node, "/windows/"+url.PathEscape(args[0])+"/check-ins", b)
		if err != nil {
			return err
		}
		return c.show(w, func() { c.say("cli.window.check-in.done", "id", w.ID) })
	})
	cmd.Flags().StringVar(&broken, "broken", "", c.t("cli.flag.window-broken"))
	cmd.Flags().StringVar(&text, "text", "", c.t("cli.flag.window-text"))
	cmd.Flags().StringVar(&person, "of", "", c.t("cli.flag.window-of"))
	return cmd
}

func (c *cli) windowReviewCommand() *cobra.Command {
	var text string
	cmd := c.command("review <window> --text WORDS", "window.review", exactly(1), func(cmd *cobra.Command, args []string) error {
		return c.editWindow(cmd, args[0], "/review", controlapi.WindowReviewed{Text: text}, func(w continuity.Window) { c.say("cli.window.review.done", "id", w.ID) })
	})
	cmd.Flags().StringVar(&text, "text", "", c.t("cli.flag.window-review"))
	return cmd
}

func (c *cli) windowFeedbackCommand() *cobra.Command {
	var b controlapi.WindowFeedback
	var forward bool
	cmd := c.command("feedback <window>", "window.feedback", exactly(1), func(cmd *cobra.Command, args []string) error {
		if forward {
			return c.editWindow(cmd, args[0], "/forward", struct{}{}, func(w continuity.Window) { c.say("cli.window.feedback.forwarded", "id", w.ID) })
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		w, err := controlapi.Post[continuity.Window](cmd.Context(), node, "/windows/"+url.PathEscape(args[0])+"/feedback", b)
		if err != nil {
			return err
		}
		return c.show(w, func() { c.say("cli.window.feedback.done", "id", w.ID) })
	})
	f := cmd.Flags()
	f.IntVar(&b.Score, "score", 0, c.t("cli.flag.window-score"))
	f.StringVar(&b.Text, "text", "", c.t("cli.flag.window-text"))
	f.BoolVar(&forward, "forward", false, c.t("cli.flag.window-forward"))
	return cmd
}

func (c *cli) windowCourseCommand() *cobra.Command {
	return c.command("course <window>", "window.course", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		s, _, err := controlapi.Get[maintenance.WindowCourse](cmd.Context(), node, "/windows/"+url.PathEscape(args[0])+"/course", nil)
		if err != nil {
			return err
		}
		return c.show(s, func() { c.showCourse(&s) })
	})
}

// showCourse shows who says that the work is done, what was seen to work, what stands
// with relays and what people say.
func (c *cli) showCourse(s *maintenance.WindowCourse) {
	c.windowBecame(s.Window)
	c.windowCame(&s.Window)
	c.say("cli.window.course.sources", "need", s.Need, "of", len(s.Sources))
	t := table{head: c.heads("who", "said")}
	for _, x := range s.Sources {
		said := "-"
		if !x.Said.IsZero() {
			said = inZone(x.Said, s.Window.Zone)
		}
		t.add(c.source(x.ID), said)
	}
	c.table(t)
	if len(s.Verify) > 0 {
		t = table{head: c.heads("item", "kind", "works", "what")}
		for _, v := range s.Verify {
			works := "-"
			if v.Works {
				works = c.t("cli.window.course.works")
			}
			t.add(v.ID, c.term("course.verify.", v.Kind), works, c.inLang(v.Say))
		}
		c.table(t)
	}
	if len(s.During) > 0 {
		t = table{head: c.heads("relay", "route", "what", "state", "since")}
		for i := range s.During {
			d := &s.During[i]
			what := d.Mode + strings.Join(d.Paths, ", ")
			if d.What == continuity.DuringLine {
				what = fmt.Sprintf("%d/%d", d.Open, d.Of)
			}
			t.add(d.Relay, d.Route, c.term("course.during.", d.What)+" "+what, c.term("cli.window.during.", d.State), c.really(d.Since, &s.Window))
		}
		c.table(t)
	}
	if len(s.Batches) > 0 {
		t = table{head: c.heads("batch", "share", "state", "since", "teams", "asked")}
		for _, b := range s.Batches {
			since := ""
			if !b.Since.IsZero() {
				since = inZone(b.Since, s.Window.Zone)
			}
			t.add(strconv.Itoa(b.Number), fmt.Sprintf("%g%%", math.Round(b.Share*1000)/10), c.t("course.batch."+b.State), since, strings.Join(b.Teams, ", "), strings.Join(b.Asked, ", "))
		}
		c.table(t)
	}
	if !s.Next.IsZero() {
		id := "cli.window.course.next"
		if s.Window.Batch >= len(s.Batches) {
			id = "cli.window.course.last"
		}
		c.say(id, "at", inZone(s.Next, s.Window.Zone))
	}
	for _, id := range s.Waits {
		c.say("cli.window.course.waits", "why", c.t(id))
	}
	for _, x := range s.CheckIns {
		id := "cli.window.course.check-in-works"
		if !x.Works {
			id = "cli.window.course.check-in-broken"
		}
		c.say(id, "person", x.Person, "batch", x.Batch, "text", x.Text)
	}
	if r := s.Window.Course.Reviewed; r != nil {
		c.say("cli.window.course.reviewed", "at", c.really(r.At, &s.Window), "person", r.By.ID, "text", r.Text)
	} else if !s.Window.Review.IsZero() {
		c.say("cli.window.course.review-due", "at", inZone(s.Window.Review, s.Window.Zone))
	}
	for _, x := range s.Feedback {
		c.say("cli.window.course.feedback", "person", x.By.ID, "score", x.Score, "text", x.Text)
	}
}
