package main

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/yamldoc"
)

func (c *cli) calendarCommand() *cobra.Command {
	cmd := c.onNode(c.group("calendar", "calendar"))
	cmd.AddCommand(c.calendarShowCommand(), c.calendarWorkdaysCommand(), c.calendarNextCommand())
	return cmd
}

// calendarShowCommand lists busy periods: of a file, or of the plans of a node.
func (c *cli) calendarShowCommand() *cobra.Command {
	var service, kind, zone string
	var days int
	cmd := c.command("show [FILE]", "calendar.show", atMost(1), func(cmd *cobra.Command, args []string) error {
		if days < 1 || days > 400 {
			return invalid("cli.invalid.calendar-days", "value", days)
		}
		now := time.Now()
		w := calendar.Window{Start: now, End: now.AddDate(0, 0, days)}
		if len(args) == 1 {
			return c.calendarFile(cmd, args, zone, w)
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		all, _, err := controlapi.Get[controlapi.BusyPeriods](cmd.Context(), node, "/calendars/busy", url.Values{
			"service": {service}, "kind": {kind}, "from": {w.Start.UTC().Format(time.RFC3339)}, "to": {w.End.UTC().Format(time.RFC3339)},
		})
		if err != nil {
			return err
		}
		return c.show(all, func() {
			if len(all.Items) == 0 {
				c.say("cli.calendar.show.none", "days", days)
			} else {
				t := table{head: c.heads("when", "service", "calendar", "kind", "title")}
				for _, b := range all.Items {
					t.add(spanOf(b.Start, b.End), b.Service, b.Calendar, c.term("calendar.kind.", b.Kind), b.Title)
				}
				c.table(t)
			}
			for _, s := range all.Calendars {
				if s.State != "read" {
					why := ""
					if s.Why != "" {
						why = c.t("notice.failed."+s.Why, pairsOf(s.Args)...)
					}
					c.warn("cli.calendar.show."+s.State, "calendar", s.Service+"/"+s.Calendar, "at", stampOr(s.Read), "why", why)
				}
			}
		})
	})
	f := cmd.Flags()
	f.StringVar(&service, "service", "", c.t("cli.flag.notice-service"))
	f.StringVar(&kind, "kind", "", c.t("cli.flag.calendar-kind"))
	f.StringVar(&zone, "zone", "", c.t("cli.flag.notice-zone"))
	f.IntVar(&days, "days", 30, c.t("cli.flag.calendar-days"))
	return cmd
}

func (c *cli) calendarFile(cmd *cobra.Command, args []string, zone string, w calendar.Window) error {
	src, err := c.given(args)
	if err != nil {
		return err
	}
	at, err := zoneOr(zone)
	if err != nil {
		return err
	}
	feed, err := calendar.Parse(cmd.Context(), src, at)
	if err != nil {
		return err
	}
	busy, err := feed.Between(cmd.Context(), w)
	if err != nil {
		return err
	}
	if busy == nil {
		busy = []calendar.Busy{}
	}
	return c.show(busy, func() {
		t := table{head: c.heads("when", "title")}
		for _, b := range busy {
			t.add(spanOf(b.Start, b.End), b.Title)
		}
		c.table(t)
		for _, left := range feed.Left {
			c.warn("cli.calendar.left", "id", clean(left.UID), "why", c.t(left.ID))
		}
	})
}

func zoneOr(name string) (*time.Location, error) {
	if name == "" {
		return time.Local, nil
	}
	return calendar.ParseZone(name)
}

// workdaysBy are China's working days, as a file changes them.
func (c *cli) workdaysBy(file string) (*calendar.Workdays, error) {
	days := calendar.China()
	if file == "" {
		return days, nil
	}
	src, err := os.ReadFile(file) // #nosec G304 -- the file that the person names
	if err != nil {
		return nil, continuity.E(continuity.CodeConfig, err, "unreadable", file, "cause", err.Error())
	}
	days, problems := days.With(file, src)
	if yamldoc.Failed(problems) {
		c.reported = true
		if err := yamldoc.Render(c.err, c.lang, src, problems); err != nil {
			return nil, err
		}
		return nil, continuity.E(continuity.CodeConfig, nil)
	}
	return days, nil
}

func (c *cli) calendarWorkdaysCommand() *cobra.Command {
	var file string
	var add int
	cmd := c.command("workdays [FROM] [TO]", "calendar.workdays", atMost(2), func(cmd *cobra.Command, args []string) error {
		days, err := c.workdaysBy(file)
		if err != nil {
			return err
		}
		from := calendar.DateOf(time.Now())
		if len(args) > 0 {
			if from, err = calendar.ParseDate(args[0]); err != nil {
				return err
			}
		}
		if cmd.Flags().Changed("add") {
			return c.workdayAfter(days, from, add)
		}
		to := from.Plus(30)
		if len(args) > 1 {
			if to, err = calendar.ParseDate(args[1]); err != nil {
				return err
			}
		}
		count, err := days.Count(from, to)
		if err != nil {
			return err
		}
		return c.show(count, func() {
			c.say("cli.calendar.workdays.count", "from", from.String(), "to", to.String(), "n", count.Working)
			t := table{head: c.heads("day", "kind", "title")}
			for _, d := range count.Days {
				t.add(d.Date.String(), c.term("calendar.day.", string(d.Kind)), c.dayName(d))
			}
			c.table(t)
			c.doubts(count.Doubts)
		})
	})
	cmd.Flags().StringVar(&file, "file", "", c.t("cli.flag.calendar-file"))
	cmd.Flags().IntVar(&add, "add", 0, c.t("cli.flag.calendar-add"))
	return cmd
}

func (c *cli) dayName(d calendar.Day) string {
	if c.lang == "zh" && d.Name.Zh != "" || d.Name.En == "" {
		return d.Name.Zh
	}
	return d.Name.En
}

func (c *cli) doubts(all []calendar.Doubt) {
	for _, d := range all {
		c.warn(d.ID, "year", d.Year)
	}
}

func (c *cli) workdayAfter(days *calendar.Workdays, from calendar.Date, add int) error {
	d, doubts, err := days.Add(from, add)
	if err != nil {
		return err
	}
	return c.show(days.Day(d), func() {
		fmt.Fprintln(c.out, d)
		c.doubts(doubts)
	})
}

// calendarNextCommand says when a schedule happens next.
func (c *cli) calendarNextCommand() *cobra.Command {
	var at, weekly, monthly []string
	var daily, only bool
	var rule, zone, from, file string
	var count int
	cmd := c.command("next", "calendar.next", exactly(0), func(*cobra.Command, []string) error {
		if count < 1 || count > 1000 {
			return invalid("cli.invalid.calendar-count", "value", count)
		}
		after := time.Now()
		if from != "" {
			var err error
			if after, err = laterMoment(from); err != nil {
				return err
			}
		}
		spec := calendar.Spec{Daily: daily, Rule: rule}
		var err error
		if spec.Zone, err = zoneOr(zone); err != nil {
			return err
		}
		spec.From = calendar.DateOf(after.In(spec.Zone))
		if err := readSpec(&spec, at, weekly, monthly); err != nil {
			return err
		}
		if only {
			if spec.Only, err = c.workdaysBy(file); err != nil {
				return err
			}
		}
		schedule, err := calendar.New(spec)
		if err != nil {
			return err
		}
		found := []calendar.Occurrence{}
		for o := range schedule.From(after) {
			if found = append(found, o); len(found) == count {
				break
			}
		}
		return c.show(found, func() {
			for _, o := range found {
				fmt.Fprintln(c.out, o.At.In(spec.Zone).Format("2006-01-02 Mon 15:04 -0700 MST"))
				if o.Doubt != nil {
					c.doubts([]calendar.Doubt{*o.Doubt})
				}
			}
		})
	})
	f := cmd.Flags()
	f.StringSliceVar(&at, "at", nil, c.t("cli.flag.calendar-at"))
	f.BoolVar(&daily, "daily", false, c.t("cli.flag.calendar-daily"))
	f.StringSliceVar(&weekly, "weekly", nil, c.t("cli.flag.calendar-weekly"))
	f.StringSliceVar(&monthly, "monthly", nil, c.t("cli.flag.calendar-monthly"))
	f.StringVar(&rule, "rule", "", c.t("cli.flag.calendar-rule"))
	f.StringVar(&zone, "zone", "", c.t("cli.flag.calendar-zone"))
	f.StringVar(&from, "from", "", c.t("cli.flag.calendar-from"))
	f.IntVarP(&count, "count", "n", 5, c.t("cli.flag.calendar-count"))
	f.BoolVar(&only, "workdays", false, c.t("cli.flag.calendar-workdays"))
	f.StringVar(&file, "file", "", c.t("cli.flag.calendar-file"))
	return cmd
}

var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// readSpec reads the words of a schedule.
func readSpec(spec *calendar.Spec, at, weekly, monthly []string) error {
	for _, text := range at {
		clock, err := calendar.ParseClock(text)
		if err != nil {
			return err
		}
		spec.At = append(spec.At, clock)
	}
	for _, text := range weekly {
		day := slices.Index(dayNames, strings.ToLower(text))
		if day < 0 {
			return invalid("cli.invalid.calendar-weekday", "value", text, "words", strings.Join(dayNames, ", "))
		}
		spec.Weekly = append(spec.Weekly, time.Weekday(day))
	}
	for _, text := range monthly {
		day, err := strconv.Atoi(text)
		if err != nil {
			return invalid("calendar.month-day", "value", text)
		}
		spec.Monthly = append(spec.Monthly, day)
	}
	return nil
}
