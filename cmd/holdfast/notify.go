package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/notify"
)

func (c *cli) notifyCommand() *cobra.Command {
	cmd := c.onNode(c.group("notify", "notify"))
	cmd.AddCommand(c.notifyListCommand(), c.notifyShowCommand(), c.notifySendCommand(), c.notifyAckCommand(), c.notifyStatusCommand())
	return cmd
}

func (c *cli) notifyListCommand() *cobra.Command {
	var service, state, about string
	var all bool
	cmd := c.command("list", "notify.list", exactly(0), func(cmd *cobra.Command, _ []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		query := url.Values{"service": {service}, "state": {state}, "about": {about}}
		if all {
			query.Set("all", "true")
		}
		found, err := controlapi.List[continuity.Notification](cmd.Context(), node, "/notifications", query, 0)
		if err != nil {
			return err
		}
		return c.show(found, func() { c.notifyTable(found) })
	})
	f := cmd.Flags()
	f.StringVar(&service, "service", "", c.t("cli.flag.notify-service"))
	f.StringVar(&state, "state", "", c.t("cli.flag.notify-state"))
	f.StringVar(&about, "about", "", c.t("cli.flag.notify-about"))
	f.BoolVar(&all, "all", false, c.t("cli.flag.notify-all"))
	return cmd
}

func (c *cli) notifyTable(all []continuity.Notification) {
	t := table{head: c.heads("notification", "urgency", "state", "time", "recipients", "title"), none: c.t("cli.notify.list.none")}
	for i := range all {
		n := &all[i]
		title := c.said(n.Subject)
		if title == "" {
			title, _, _ = strings.Cut(c.said(n.Text), "\n")
		}
		if title == "" {
			title = n.Template
		}
		t.add(n.ID, c.term("notify.urgency.", n.Urgency), c.term("notify.state.", n.State), clock(n.At), c.recipients(n.To), c.inExercise(n.Exercise, title))
	}
	c.table(t)
}

func (c *cli) recipients(to []continuity.Recipient) string {
	names := make([]string, len(to))
	for i, r := range to {
		names[i] = c.t("notify.to."+r.Kind, "id", r.ID)
		if r.Kind == continuity.ToTold {
			names[i] = c.t("notify.to.told", "id", "")
		}
	}
	return strings.Join(names, ", ")
}

func (c *cli) notifyShowCommand() *cobra.Command {
	return c.command("show <notification>", "notify.show", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		d, _, err := controlapi.Get[notify.Detail](cmd.Context(), node, "/notifications/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		return c.show(d, func() { c.showNotification(&d) })
	})
}

func (c *cli) showNotification(d *notify.Detail) {
	c.notifyTable([]continuity.Notification{d.Notification})
	switch {
	case d.AckBy != nil:
		c.say("cli.notify.acknowledged", "by", clean(d.AckBy.ID), "at", clock(d.AckAt))
	case d.Failure != "":
		c.say("cli.notify.failed", "why", c.t(notify.FailureText(d.Failure)), "told", strings.Join(d.Escalated, ", "))
	case d.By != "":
		by := d.By
		if by == "told/nobody" {
			by = c.t("notify.told-nobody")
		}
		c.say("cli.notify.by", "by", clean(by))
	}
	if text := c.said(d.Text); text != "" {
		fmt.Fprintln(c.out)
		for line := range strings.SplitSeq(text, "\n") {
			fmt.Fprintln(c.out, "  "+clean(line))
		}
	}
	if len(d.Deliveries) == 0 {
		return
	}
	fmt.Fprintln(c.out)
	t := table{head: c.heads("delivery", "recipient", "channel", "address", "state", "attempts", "sent", "reason")}
	for i := range d.Deliveries {
		v := &d.Deliveries[i]
		reason := ""
		if v.Failure != "" {
			reason = c.t(notify.FailureText(v.Failure))
		}
		state := c.term("notify.delivery.", v.State)
		if v.Repeat {
			state += " (!)"
		}
		t.add(v.ID, v.Target, v.Channel, v.Address, state, fmt.Sprint(v.Attempts), clock(v.Sent), reason)
	}
	c.table(t)
}

func (c *cli) notifySendCommand() *cobra.Command {
	var b controlapi.Sending
	var to, escalate, vars []string
	var subject, text string
	cmd := c.command("send --service SERVICE --to KIND:ID", "notify.send", exactly(0), func(cmd *cobra.Command, _ []string) (err error) {
		if b.To, err = addressees(to); err != nil {
			return err
		}
		if b.Escalate, err = addressees(escalate); err != nil {
			return err
		}
		b.Subject, b.Text = continuity.Text{En: subject, Zh: subject}, continuity.Text{En: text, Zh: text}
		b.Vars = map[string]string{}
		for _, v := range vars {
			name, value, ok := strings.Cut(v, "=")
			if !ok {
				return invalid("cli.invalid.notify-var", "value", v)
			}
			b.Vars[name] = value
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		n, err := controlapi.Post[continuity.Notification](cmd.Context(), node, "/notifications", b)
		if err != nil {
			return err
		}
		return c.show(n, func() { c.say("cli.notify.send.done", "id", n.ID) })
	})
	f := cmd.Flags()
	f.StringVar(&b.Service, "service", "", c.t("cli.flag.notify-of"))
	f.StringSliceVar(&to, "to", nil, c.t("cli.flag.notify-to"))
	f.StringSliceVar(&escalate, "escalate", nil, c.t("cli.flag.notify-escalate"))
	f.StringVar(&b.Urgency, "urgency", "notice", c.t("cli.flag.notify-urgency"))
	f.StringSliceVar(&b.Channels, "channel", nil, c.t("cli.flag.notify-channel"))
	f.BoolVar(&b.Doubled, "doubled", false, c.t("cli.flag.notify-doubled"))
	f.StringVar(&subject, "subject", "", c.t("cli.flag.notify-subject"))
	f.StringVar(&text, "text", "", c.t("cli.flag.notify-text"))
	f.StringVar(&b.Template, "template", "", c.t("cli.flag.notify-template"))
	f.StringArrayVar(&vars, "var", nil, c.t("cli.flag.notify-var"))
	return cmd
}

// addressees reads KIND:ID, and address:CHANNEL:ADDRESS.
func addressees(texts []string) ([]controlapi.Addressee, error) {
	var all []controlapi.Addressee
	for _, text := range texts {
		kind, id, ok := strings.Cut(text, ":")
		if !ok || id == "" {
			return nil, invalid("cli.invalid.notify-to", "value", text)
		}
		a := controlapi.Addressee{Kind: kind, ID: id}
		if kind == continuity.ToAddress {
			a.ID, a.Address, _ = strings.Cut(id, ":")
		}
		all = append(all, a)
	}
	return all, nil
}

func (c *cli) notifyAckCommand() *cobra.Command {
	return c.command("ack <notification>", "notify.ack", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		n, _, err := controlapi.Put[continuity.Notification](cmd.Context(), node, "/notifications/"+url.PathEscape(args[0])+"/acknowledgement", continuity.VersionAny, struct{}{})
		if err != nil {
			return err
		}
		return c.show(n, func() { c.say("cli.notify.ack.done", "id", n.ID) })
	})
}

func (c *cli) notifyStatusCommand() *cobra.Command {
	var service string
	cmd := c.command("status", "notify.status", exactly(0), func(cmd *cobra.Command, _ []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		s, _, err := controlapi.Get[notify.Standing](cmd.Context(), node, "/notification-states", url.Values{"service": {service}})
		if err != nil {
			return err
		}
		return c.show(s, func() {
			t := table{head: c.heads("state", "count"), right: []int{1}}
			for _, state := range []string{
				continuity.NotifyNew, continuity.NotifySending, continuity.NotifyWaiting, continuity.NotifyDelivered, continuity.NotifyAcknowledged,
				continuity.NotifyFailed, continuity.NotifySilenced, continuity.NotifyGrouped, continuity.NotifyRepeated, continuity.NotifyCancelled,
			} {
				t.add(c.term("notify.state.", state), c.number(int64(s.States[state])))
			}
			t.add(c.t("cli.notify.status.asked"), c.number(int64(s.Asked)))
			c.table(t)
		})
	})
	cmd.Flags().StringVar(&service, "service", "", c.t("cli.flag.notify-service"))
	return cmd
}
