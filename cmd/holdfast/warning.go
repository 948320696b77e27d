package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/watch"
)

func (c *cli) warningCommand() *cobra.Command {
	cmd := c.onNode(c.group("warning", "warning"))
	cmd.AddCommand(c.warningListCommand(), c.warningShowCommand(), c.warningConfirmCommand(), c.warningDismissCommand())
	return cmd
}

func (c *cli) warningListCommand() *cobra.Command {
	var service, level string
	var past bool
	cmd := c.command("list", "warning.list", exactly(0), func(cmd *cobra.Command, _ []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		query := url.Values{"service": {service}, "level": {level}}
		if past {
			query.Set("past", "true")
		}
		all, err := controlapi.List[continuity.Warning](cmd.Context(), node, "/warnings", query, 0)
		if err = meantService(cmd.Context(), node, service, len(all), err); err != nil {
			return err
		}
		return c.show(all, func() {
			t := table{head: c.heads("level", "warning", "name", "state", "since", "source", "scope"), none: c.t("cli.warning.list.none")}
			for i := range all {
				t.add(c.warningRow(&all[i])...)
			}
			c.table(t)
		})
	})
	f := cmd.Flags()
	f.StringVar(&service, "service", "", c.t("cli.flag.warning-service"))
	f.StringVar(&level, "level", "", c.t("cli.flag.warning-level"))
	f.BoolVar(&past, "past", false, c.t("cli.flag.warning-past"))
	return cmd
}

func (c *cli) warningRow(w *continuity.Warning) []string {
	return []string{
		c.term("warning.level.", string(w.Level)), w.ID, c.said(w.Text), c.term("warning.state.", w.State), clock(w.Since),
		c.term("warning.source.", w.Source), c.term("warning.scope.", w.Scope),
	}
}

// said is a text in the reader's language, or in the other where it has none.
func (c *cli) said(t continuity.Text) string {
	if c.lang == catalogue.Zh && t.Zh != "" || t.En == "" {
		return clean(t.Zh)
	}
	return clean(t.En)
}

func (c *cli) warningShowCommand() *cobra.Command {
	return c.command("show <warning>", "warning.show", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		w, _, err := controlapi.Get[continuity.Warning](cmd.Context(), node, "/warnings/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		return c.show(w, func() { c.showWarning(&w) })
	})
}

func (c *cli) showWarning(w *continuity.Warning) {
	t := table{head: c.heads("level", "warning", "name", "state", "since", "source", "scope")}
	t.add(c.warningRow(w)...)
	c.table(t)
	if w.Sign != "" {
		fmt.Fprintln(c.out, c.t("warning.sign."+w.Sign))
	}
	if w.Blind {
		c.say("cli.warning.blind")
	}
	if v := w.Confirmed; v != nil {
		c.say("cli.warning.confirmed", "by", clean(v.By.ID), "at", clock(v.At), "note", clean(v.Note))
	}
	if v := w.Dismissed; v != nil {
		c.say("cli.warning.dismissed", "by", clean(v.By.ID), "at", clock(v.At), "note", clean(v.Note))
	}
	if len(w.Evidence) == 0 {
		return
	}
	fmt.Fprintln(c.out)
	e := table{head: c.heads("evidence", "value", "time")}
	for i := range w.Evidence {
		e.add(c.evidenceRow(&w.Evidence[i])...)
	}
	c.table(e)
}

func (c *cli) evidenceRow(e *continuity.Evidence) []string {
	what := c.term("cli.warning.evidence.", e.Kind)
	for _, part := range []string{e.ID, e.URL, e.Query} {
		if part != "" {
			what += " " + part
		}
	}
	value := e.Text
	switch e.Kind {
	case "check":
		if value = c.term("cli.check.state.", e.Text); e.Reason.Code != "" {
			value = c.t("cli.warning.because", "state", value, "reason", watch.Say(c.lang, e.Reason))
		}
	case continuity.FromBackup:
		if value = c.t("cli.backup.set.state." + e.Text); e.Reason.Code != "" {
			value = c.t("cli.warning.because", "state", value, "reason", watch.Say(c.lang, e.Reason))
		}
	case "report":
		value = c.term("warning.sign.", e.Text)
	}
	if e.Value != nil {
		value = fmt.Sprintf("%.4g", *e.Value)
		if e.Limit != nil {
			value += fmt.Sprintf(" (%.4g)", *e.Limit)
		}
	}
	return []string{clean(what), clean(value), clock(e.At)}
}

func (c *cli) warningConfirmCommand() *cobra.Command {
	note := ""
	cmd := c.command("confirm <warning>", "warning.confirm", exactly(1), func(cmd *cobra.Command, args []string) error {
		w, err := c.judge(cmd, args[0], "confirmation", map[string]string{"note": note})
		if err != nil {
			return err
		}
		return c.show(w, func() { c.say("cli.warning.confirm.done", "id", w.ID) })
	})
	cmd.Flags().StringVar(&note, "note", "", c.t("cli.flag.warning-note"))
	return cmd
}

func (c *cli) warningDismissCommand() *cobra.Command {
	why := ""
	cmd := c.command("dismiss <warning>", "warning.dismiss", exactly(1), func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(why) == "" {
			return invalid("warning.invalid.why")
		}
		w, err := c.judge(cmd, args[0], "dismissal", map[string]string{"why": why})
		if err != nil {
			return err
		}
		return c.show(w, func() {
			c.say("cli.warning.dismiss.done", "id", w.ID, "level", c.term("warning.level.", string(w.Level)))
		})
	})
	cmd.Flags().StringVar(&why, "why", "", c.t("cli.flag.warning-why"))
	return cmd
}

// judge says a person's word on a warning as it stands now.
func (c *cli) judge(cmd *cobra.Command, id, word string, body map[string]string) (continuity.Warning, error) {
	node, err := c.connectControl()
	if err != nil {
		return continuity.Warning{}, err
	}
	path := "/warnings/" + url.PathEscape(id)
	_, version, err := controlapi.Get[continuity.Warning](cmd.Context(), node, path, nil)
	if err != nil {
		return continuity.Warning{}, err
	}
	w, _, err := controlapi.Put[continuity.Warning](cmd.Context(), node, path+"/"+word, version, body)
	return w, err
}
