package main

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/api"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/problem"
)

// deadCommand holds what people do with records that don't go on by themselves.
func (c *cli) deadCommand() *cobra.Command {
	dead := c.group("dead", "dead")
	list := c.command("list", "dead-list", exactly(0), nil)
	// A refused one is a promise to a customer that was broken: nothing brings it
	// back, and somebody has to tell them.
	l := c.listFlags(list, "dead", "parked", "refused")
	list.RunE = func(cmd *cobra.Command, _ []string) error { return c.list(cmd, l) }
	show := c.receiptCommand()
	show.Use, show.Short, show.Example = "show RECEIPT", c.t("cli.dead-show.short"), indent(c.t("cli.dead-show.example"))
	dead.AddCommand(list, show, c.retryCommand(), c.discardCommand(), c.settleCommand(), c.editCommand(),
		c.verbCommand("told RECEIPT...", "dead-told", continuity.VerbTold), c.verbCommand("approve RECEIPT...", "dead-approve", "approve"),
		c.verbCommand("reject RECEIPT...", "dead-reject", continuity.VerbReject))
	return dead
}

// decision is what every act on a record asks for.
type decision struct {
	why     string
	yes     bool
	version uint16
}

func (c *cli) decisionFlags(cmd *cobra.Command) *decision {
	d := &decision{}
	f := cmd.Flags()
	f.StringVar(&d.why, "why", "", c.t("cli.flag.why"))
	f.BoolVar(&d.yes, "yes", false, c.t("cli.flag.yes"))
	f.Uint16Var(&d.version, "version", 0, c.t("cli.flag.version"))
	return d
}

// seen is the version that the person decides about: the one they name, or the
// one that was just read.
func (d *decision) seen(r api.Record) uint16 {
	if d.version > 0 {
		return d.version
	}
	return r.Version
}

func (c *cli) retryCommand() *cobra.Command {
	cmd := c.command("retry RECEIPT...", "dead-retry", atLeastOne, nil)
	d := c.decisionFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.each(cmd, args, d, func(client *api.Client, r api.Record) error {
			a := api.ActRequest{Verb: continuity.VerbRetry, Version: d.seen(r), Why: d.why}
			err := c.act(cmd, client, r, a)
			warning, late := tooLate(err)
			if !late {
				return err
			}
			fmt.Fprintln(c.err, c.t("cli.label.warning")+c.abbreviate(r.Receipt)+": "+catalogue.Text(c.lang, warning.id, warning.args))
			if err := c.confirm(d.yes, "cli.confirm.later"); err != nil {
				return err
			}
			a.Later = true
			return c.act(cmd, client, r, a)
		})
	}
	return cmd
}

type message struct {
	id   string
	args map[string]any
}

// tooLate reports whether an act was refused because it would come after later
// records of its key, or may (rule 9.3).
func tooLate(err error) (message, bool) {
	var e *continuity.Error
	if !errors.As(err, &e) {
		return message{}, false
	}
	id, _ := e.Args[problem.DetailID].(string)
	return message{id, e.Args}, id == "api.invalid.later" || id == "api.invalid.later-unknown"
}

func (c *cli) discardCommand() *cobra.Command {
	cmd := c.command("discard RECEIPT...", "dead-discard", atLeastOne, nil)
	d := c.decisionFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.each(cmd, args, d, func(client *api.Client, r api.Record) error {
			if err := c.confirm(d.yes, "cli.confirm.discard", "receipt", c.abbreviate(r.Receipt), "request", r.Method+" "+r.Target); err != nil {
				return err
			}
			return c.act(cmd, client, r, api.ActRequest{Verb: continuity.VerbDiscard, Version: d.seen(r), Why: d.why})
		})
	}
	return cmd
}

func (c *cli) settleCommand() *cobra.Command {
	cmd := c.command("settle RECEIPT (--delivered|--unprocessed)", "dead-settle", exactly(1), nil)
	d := c.decisionFlags(cmd)
	delivered := cmd.Flags().Bool("delivered", false, c.t("cli.flag.delivered"))
	unprocessed := cmd.Flags().Bool("unprocessed", false, c.t("cli.flag.unprocessed"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *delivered == *unprocessed {
			return invalid("cli.invalid.settle")
		}
		verb := continuity.VerbDelivered
		if *unprocessed {
			verb = continuity.VerbUnprocessed
		}
		return c.each(cmd, args, d, func(client *api.Client, r api.Record) error {
			return c.act(cmd, client, r, api.ActRequest{Verb: verb, Version: d.seen(r), Why: d.why})
		})
	}
	return cmd
}

// verbCommand is an act that takes nothing but its reason.
func (c *cli) verbCommand(use, id string, verb continuity.Verb) *cobra.Command {
	cmd := c.command(use, id, atLeastOne, nil)
	d := c.decisionFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.each(cmd, args, d, func(client *api.Client, r api.Record) error {
			return c.act(cmd, client, r, api.ActRequest{Verb: verb, Version: d.seen(r), Why: d.why})
		})
	}
	return cmd
}

func atLeastOne(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return invalid("cli.invalid.args", "usage", cmd.UseLine())
	}
	return nil
}

// each looks a record up and does something with it, for all that are named;
// it stops at the first that fails and says how far it came.
func (c *cli) each(cmd *cobra.Command, receipts []string, d *decision, do func(*api.Client, api.Record) error) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	for i, receipt := range receipts {
		r, err := client.Record(cmd.Context(), receipt)
		if err == nil {
			err = c.needWhy(d.why)
		}
		if err == nil {
			err = do(client, r)
		}
		if err != nil {
			if i > 0 {
				c.warn("cli.dead.partly", "done", i, "all", len(receipts), "receipt", receipt)
			}
			return err
		}
	}
	return nil
}

func (c *cli) act(cmd *cobra.Command, client *api.Client, r api.Record, a api.ActRequest) error {
	a.Person = c.person
	result, err := client.Act(cmd.Context(), r.Receipt, a)
	if err != nil {
		return err
	}
	return c.show(result, func() {
		if result.Proposed {
			c.say("cli.dead.proposed", "receipt", c.abbreviate(r.Receipt))
			return
		}
		c.say("cli.dead.done", "receipt", c.abbreviate(r.Receipt), "before", c.state(r.State), "after", c.state(result.Record.State))
		if result.Replacement != "" {
			c.say("cli.dead.replaced", "receipt", c.abbreviate(result.Replacement))
		}
	})
}

// confirm asks on a terminal; elsewhere --yes must have been given.
func (c *cli) confirm(yes bool, id string, pairs ...any) error {
	if yes {
		return nil
	}
	if !terminal(c.in) || !terminal(c.err) {
		return invalid("cli.invalid.confirm")
	}
	fmt.Fprint(c.err, c.t(id, pairs...)+" [y/N] ")
	line, _ := bufio.NewReader(c.in).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(line)); a != "y" && a != "yes" && a != "是" {
		return invalid("cli.invalid.declined")
	}
	return nil
}

// editBody encodes a new body for the API.
func editBody(b []byte) *string {
	s := base64.StdEncoding.EncodeToString(b)
	return &s
}
