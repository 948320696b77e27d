package main

import (
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/outgoing"
	"holdfast/internal/watch"
	"holdfast/internal/watch/probe"
	"holdfast/internal/watch/probe/flow"
	"holdfast/internal/yamldoc"
)

// trial is how a flow is tried from here.
type trial struct {
	base, user, secretFile, secretEnv string
	dry, direct                       bool
	allow                             []string
}

func (c *cli) checkFlowCommand() *cobra.Command {
	var o trial
	cmd := c.command("flow FILE", "check-flow", exactly(1), func(cmd *cobra.Command, args []string) error {
		f, err := c.readFlow(args[0])
		if err != nil {
			return err
		}
		if o.dry {
			return c.showFlow(f)
		}
		return c.tryFlow(cmd, f, o)
	})
	f := cmd.Flags()
	f.BoolVar(&o.dry, "dry-run", false, c.t("cli.flag.flow-dry"))
	f.BoolVar(&o.direct, "direct", false, c.t("cli.flag.flow-direct"))
	f.StringVar(&o.base, "base", "", c.t("cli.flag.flow-base"))
	f.StringVar(&o.user, "user", "", c.t("cli.flag.flow-user"))
	f.StringVar(&o.secretFile, "secret-file", "", c.t("cli.flag.flow-secret-file"))
	f.StringVar(&o.secretEnv, "secret-env", "", c.t("cli.flag.flow-secret-env"))
	f.StringArrayVar(&o.allow, "allow", nil, c.t("cli.flag.flow-allow"))
	return cmd
}

func (c *cli) readFlow(path string) (*flow.Flow, error) {
	s, err := planSource(path)
	if err == nil {
		err = meant("flow", s)
	}
	if err != nil {
		return nil, err
	}
	f, problems := flow.Parse(path, s.Text)
	if f == nil && c.json {
		c.reported = true
		if err := yamldoc.WriteJSON(c.out, c.lang, problems); err != nil {
			return nil, err
		}
	} else if err := yamldoc.Render(c.err, c.lang, s.Text, problems); err != nil {
		return nil, err
	}
	if f == nil {
		c.reported = true
		return nil, continuity.E(continuity.CodeConfig, nil)
	}
	return f, nil
}

// showFlow lists what a run would do.
func (c *cli) showFlow(f *flow.Flow) error {
	steps, cleanup := f.Steps()
	told := struct {
		ID      string   `json:"id"`
		Base    string   `json:"base"`
		Account bool     `json:"account"`
		Steps   []string `json:"steps"`
		Cleanup []string `json:"cleanup"`
	}{f.ID, f.Base, f.Account, steps, cleanup}
	return c.show(told, func() {
		c.say("cli.check-flow.good", "id", f.ID, "steps", strings.Join(steps, ", "), "timeout", f.Timeout.String())
		if len(cleanup) > 0 {
			c.say("cli.check-flow.cleanup", "steps", strings.Join(cleanup, ", "), "timeout", f.After.String())
		}
		if f.Account {
			c.say("cli.check-flow.account")
		}
	})
}

func (c *cli) tryFlow(cmd *cobra.Command, f *flow.Flow, o trial) error {
	base := f.Base
	switch {
	case o.base != "":
		base = o.base
	case o.direct:
		if base = f.Direct; base == "" {
			return invalid("cli.invalid.flow-direct")
		}
	}
	tools, err := c.toolsFor(base, o.allow)
	if err != nil {
		return err
	}
	if f.Account && (o.user == "" || o.secretFile == "" && o.secretEnv == "") {
		return invalid("cli.invalid.flow-account")
	}
	options := flow.Options{Base: base, Client: tools.Web.Fresh, User: o.user, Secret: func() (string, error) { return c.secretOf(o) }, Mark: nil}
	if !c.json {
		options.Told = c.tellStep
	}
	report := f.Run(cmd.Context(), options)
	state := report.Outcome.State
	if state == "" {
		state = continuity.CheckUp
	}
	why := watch.Say(c.lang, report.Outcome.Reason)
	err = c.show(struct {
		Flow    string                `json:"flow"`
		Run     string                `json:"run"`
		State   continuity.CheckState `json:"state"`
		Reason  string                `json:"reason,omitempty"`
		Seconds float64               `json:"seconds"`
		Steps   []stepTold            `json:"steps"`
	}{f.ID, report.Run, state, why, report.Took.Seconds(), c.stepsTold(report.Steps)}, func() {
		c.say("cli.check-flow.end", "state", c.t("cli.check-flow.state."+string(state)), "run", report.Run, "took", report.Took.Round(time.Millisecond).String())
		if why != "" {
			fmt.Fprintln(c.out, why)
		}
	})
	if err == nil && state != continuity.CheckUp {
		return findings{}
	}
	return err
}

// stepTold is a step's end for programs.
type stepTold struct {
	ID      string  `json:"id"`
	Name    string  `json:"name,omitempty"`
	Cleanup bool    `json:"cleanup,omitempty"`
	State   string  `json:"state"`
	Status  int     `json:"status,omitempty"`
	Tries   int     `json:"tries,omitempty"`
	Seconds float64 `json:"seconds"`
	Code    string  `json:"code,omitempty"`
	Reason  string  `json:"reason,omitempty"`
}

func (c *cli) stepsTold(steps []flow.StepResult) []stepTold {
	out := []stepTold{}
	for _, s := range steps {
		out = append(out, stepTold{s.ID, s.Name.In(c.lang), s.Cleanup, s.State, s.Status, s.Tries, s.Took.Seconds(), s.Reason.Code, c.whyStep(s)})
	}
	return out
}

// whyStep is the reason alone: the step is named beside it.
func (c *cli) whyStep(s flow.StepResult) string {
	reason := s.Reason
	reason.Step = ""
	return watch.Say(c.lang, reason)
}

// tellStep tells of a step as it ends.
func (c *cli) tellStep(s flow.StepResult) {
	status := ""
	if s.Status > 0 {
		status = fmt.Sprint(s.Status)
	}
	cells := []string{s.ID, c.t("cli.check-flow.step." + s.State), status, s.Took.Round(time.Millisecond).String(), c.whyStep(s)}
	if terminal(c.out) { // they come one after another: there is no widest
		for i, width := range []int{18, 10, 4, 8} {
			cells[i] = runewidth.FillRight(cells[i], width)
		}
	}
	fmt.Fprintln(c.out, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
}

// secretOf reads the account's secret from where the person said.
func (c *cli) secretOf(o trial) (string, error) {
	if o.secretEnv != "" {
		if v := c.env(o.secretEnv); v != "" {
			return v, nil
		}
		return "", invalid("cli.invalid.flow-account")
	}
	text, err := os.ReadFile(o.secretFile)
	return strings.TrimRight(string(text), "\r\n"), err
}

// toolsFor let out to the place that a person named by trying it, and to what
// else they allow.
func (c *cli) toolsFor(base string, allow []string) (*probe.Tools, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, invalid("cli.invalid.flow-base", "value", base)
	}
	host := u.Hostname()
	texts := append([]string{host}, allow...)
	if host == "localhost" {
		texts = append(allow, "127.0.0.0/8", "::1")
	} else if a, err := netip.ParseAddr(host); err == nil {
		texts[0] = a.String()
	}
	rules, err := outgoing.Rules(texts...)
	if err != nil {
		return nil, invalid("cli.invalid.flow-allow", "value", strings.Join(allow, ", "))
	}
	return probe.NewTools("", outgoing.New(outgoing.NewPolicy(rules...), nil), nil, nil), nil
}
