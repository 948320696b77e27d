package main

import (
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/maintenance"
)

func (c *cli) windowSeriesCommand() *cobra.Command {
	cmd := c.group("series", "window.series")
	cmd.AddCommand(c.seriesAddCommand(), c.seriesListCommand(), c.seriesShowCommand(), c.seriesEndCommand())
	return cmd
}

func (c *cli) seriesAddCommand() *cobra.Command {
	var words windowWords
	var b controlapi.NewSeries
	var lasts time.Duration
	cmd := c.command("add <service> --rule RRULE --from 02:00 --for 2h", "window.series.add", exactly(1), func(cmd *cobra.Command, args []string) error {
		b.Service, b.Affected, b.Contact, b.Standby = args[0], words.affected, words.contact, words.standby
		b.Minutes = int(lasts / time.Minute)
		for text, to := range map[*string]*continuity.Text{&words.title: &b.Title, &words.reason: &b.Reason, &words.hits: &b.Hits, &words.meanwhile: &b.Meanwhile} {
			if *text != "" {
				*to = bothWays(*text)
			}
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		s, err := controlapi.Post[continuity.WindowSeries](cmd.Context(), node, "/window-series", b)
		if err != nil {
			return err
		}
		return c.show(s, func() { c.say("cli.window.series.add.done", "id", s.ID) })
	})
	c.windowTextFlags(cmd, &words)
	f := cmd.Flags()
	f.StringVar(&b.Rule, "rule", "", c.t("cli.flag.series-rule"))
	f.StringVar(&b.Zone, "zone", "", c.t("cli.flag.series-zone"))
	f.StringVar(&b.First, "first", "", c.t("cli.flag.series-first"))
	f.StringVar(&b.From, "from", "", c.t("cli.flag.series-from"))
	f.StringVar(&b.To, "to", "", c.t("cli.flag.series-to"))
	f.DurationVar(&lasts, "for", 0, c.t("cli.flag.window-for"))
	f.StringVar(&b.Exercise, "exercise", "", c.t("cli.flag.window-exercise"))
	return cmd
}

func (c *cli) seriesListCommand() *cobra.Command {
	var past bool
	cmd := c.command("list [service]", "window.series.list", atMost(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		query := url.Values{"past": {strconv.FormatBool(past)}}
		if len(args) == 1 {
			query.Set("service", args[0])
		}
		all, err := controlapi.List[continuity.WindowSeries](cmd.Context(), node, "/window-series", query, 0)
		if err != nil {
			return err
		}
		return c.show(all, func() {
			t := table{head: c.heads("series", "service", "rule", "from", "zone", "title"), none: c.t("cli.window.series.list.none")}
			for i := range all {
				s := &all[i]
				t.add(s.ID, s.Service, s.Rule, s.From, s.Zone, c.inLang(s.Title))
			}
			c.table(t)
		})
	})
	cmd.Flags().BoolVar(&past, "past", false, c.t("cli.flag.series-past"))
	return cmd
}

func (c *cli) seriesShowCommand() *cobra.Command {
	return c.command("show <series>", "window.series.show", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		s, _, err := controlapi.Get[maintenance.SeriesDetail](cmd.Context(), node, "/window-series/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		return c.show(s, func() {
			c.say("cli.window.series.show.head", "id", s.ID, "rule", s.Rule, "from", s.From, "zone", s.Zone)
			t := table{head: c.heads("from", "until")}
			for _, w := range s.Next {
				t.add(inZone(w.Start, s.Zone), inZone(w.End, s.Zone))
			}
			c.table(t)
		})
	})
}

func (c *cli) seriesEndCommand() *cobra.Command {
	return c.command("end <series>", "window.series.end", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		path := "/window-series/" + url.PathEscape(args[0])
		_, version, err := controlapi.Get[maintenance.SeriesDetail](cmd.Context(), node, path, nil)
		if err != nil {
			return err
		}
		s, _, err := controlapi.Put[continuity.WindowSeries](cmd.Context(), node, path+"/end", version, struct{}{})
		if err != nil {
			return err
		}
		return c.show(s, func() { c.say("cli.window.series.end.done", "id", s.ID) })
	})
}
