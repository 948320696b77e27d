package main

import (
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
)

func (c *cli) silenceCommand() *cobra.Command {
	cmd := c.onNode(c.group("silence", "silence"))
	cmd.AddCommand(c.silenceAddCommand(), c.silenceListCommand(), c.silenceEndCommand())
	return cmd
}

func (c *cli) silenceAddCommand() *cobra.Command {
	var b controlapi.SilenceBegin
	var from, until string
	var lasts time.Duration
	cmd := c.command("add <service> --for 2h --why REASON", "silence.add", exactly(1), func(cmd *cobra.Command, args []string) (err error) {
		b.Service = args[0]
		if strings.TrimSpace(b.Why) == "" {
			return invalid("notify.invalid.silence-why")
		}
		if from != "" {
			if b.From, err = laterMoment(from); err != nil {
				return err
			}
		}
		switch {
		case until != "" && lasts == 0:
			if b.Until, err = laterMoment(until); err != nil {
				return err
			}
		case lasts > 0 && until == "":
			b.Until = time.Now().UTC()
			if !b.From.IsZero() {
				b.Until = b.From
			}
			b.Until = b.Until.Add(lasts)
		default:
			return invalid("cli.invalid.silence-end")
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		s, err := controlapi.Post[continuity.Silence](cmd.Context(), node, "/silences", b)
		if err != nil {
			return err
		}
		return c.show(s, func() { c.say("cli.silence.add.done", "id", s.ID, "until", clock(s.Until)) })
	})
	f := cmd.Flags()
	f.StringSliceVar(&b.Match, "match", nil, c.t("cli.flag.silence-match"))
	f.StringVar(&from, "from", "", c.t("cli.flag.silence-from"))
	f.StringVar(&until, "until", "", c.t("cli.flag.silence-until"))
	f.DurationVar(&lasts, "for", 0, c.t("cli.flag.silence-for"))
	f.StringVar(&b.Why, "why", "", c.t("cli.flag.silence-why"))
	return cmd
}

func (c *cli) silenceListCommand() *cobra.Command {
	var service string
	var past bool
	cmd := c.command("list", "silence.list", exactly(0), func(cmd *cobra.Command, _ []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		query := url.Values{"service": {service}}
		if past {
			query.Set("past", "true")
		}
		all, err := controlapi.List[continuity.Silence](cmd.Context(), node, "/silences", query, 0)
		if err != nil {
			return err
		}
		return c.show(all, func() {
			t := table{head: c.heads("silence", "service", "what", "from", "until", "by", "why"), none: c.t("cli.silence.list.none")}
			for _, s := range all {
				t.add(s.ID, s.Service, strings.Join(s.Match, ", "), clock(s.From), clock(s.Until), s.By.ID, s.Why)
			}
			c.table(t)
		})
	})
	cmd.Flags().StringVar(&service, "service", "", c.t("cli.flag.notify-service"))
	cmd.Flags().BoolVar(&past, "past", false, c.t("cli.flag.silence-past"))
	return cmd
}

func (c *cli) silenceEndCommand() *cobra.Command {
	return c.command("end <silence>", "silence.end", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		path := "/silences/" + url.PathEscape(args[0])
		_, version, err := controlapi.Get[continuity.Silence](cmd.Context(), node, path, nil)
		if err != nil {
			return err
		}
		s, _, err := controlapi.Put[continuity.Silence](cmd.Context(), node, path+"/end", version, struct{}{})
		if err != nil {
			return err
		}
		return c.show(s, func() { c.say("cli.silence.end.done", "id", s.ID) })
	})
}
