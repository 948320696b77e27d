package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/evidence"
	"holdfast/internal/incident"
)

func (c *cli) incidentUpdateCommand() *cobra.Command {
	var b controlapi.UpdateDraft
	var subject, subjectZh, en, zh, status, statusZh, expected, next string
	var vars map[string]string
	cmd := c.command("update <incident> --to AUDIENCE", "incident.update", exactly(1), func(cmd *cobra.Command, args []string) (err error) {
		if b.Audience == "" {
			return invalid("cli.invalid.update-to")
		}
		b.Subject, b.Text, b.Status, b.Vars = inBoth(subject, subjectZh), inBoth(en, zh), inBoth(status, statusZh), vars
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		if expected != "" {
			if b.Expected, err = inOrAt(expected, incidentClock(cmd.Context(), node, args[0])); err != nil {
				return err
			}
		}
		if next != "" {
			if b.Next, err = inOrAt(next, incidentClock(cmd.Context(), node, args[0])); err != nil {
				return err
			}
		}
		u, err := controlapi.Post[continuity.Update](cmd.Context(), node, "/incidents/"+url.PathEscape(args[0])+"/updates", b)
		if err != nil {
			return err
		}
		return c.show(u, func() { c.showUpdate(&u) })
	})
	f := cmd.Flags()
	f.StringVar(&b.Audience, "to", "", c.t("cli.flag.update-to"))
	f.StringVar(&b.Phase, "phase", "", c.t("cli.flag.update-phase"))
	f.StringVar(&b.Template, "template", "", c.t("cli.flag.update-template"))
	f.StringVar(&subject, "subject", "", c.t("cli.flag.update-subject"))
	f.StringVar(&en, "text", "", c.t("cli.flag.update-text"))
	f.StringVar(&zh, "text-zh", "", c.t("cli.flag.update-text-zh"))
	f.StringVar(&status, "status", "", c.t("cli.flag.update-status"))
	f.StringVar(&statusZh, "status-zh", "", c.t("cli.flag.update-status-zh"))
	f.StringVar(&subjectZh, "subject-zh", "", c.t("cli.flag.update-subject-zh"))
	f.BoolVar(&b.Lone, "one-language", false, c.t("cli.flag.update-lone"))
	f.StringToStringVar(&vars, "var", nil, c.t("cli.flag.update-var"))
	f.StringVar(&expected, "expected", "", c.t("cli.flag.update-expected"))
	f.StringVar(&next, "next", "", c.t("cli.flag.update-next"))
	f.BoolVar(&b.Preview, "preview", false, c.t("cli.flag.update-preview"))
	return cmd
}

// inBoth are the texts that somebody typed for English and Chinese readers. The only one
// that was typed is the Chinese one where there is Chinese in it.
func inBoth(en, zh string) continuity.Text {
	if zh == "" && strings.ContainsFunc(en, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		en, zh = "", en
	}
	return continuity.Text{En: en, Zh: zh}
}

// showUpdate says what becomes of an update, and what it says.
func (c *cli) showUpdate(u *continuity.Update) {
	switch u.State {
	case continuity.UpdateDraft:
		c.say("cli.incident.update.draft", "id", u.ID, "to", u.Audience)
	case continuity.UpdateSent:
		c.say("cli.incident.update.sent", "id", u.ID, "to", u.Audience)
	case continuity.UpdateRejected:
		c.say("cli.incident.update.rejected", "id", u.ID)
	default:
		c.say("cli.incident.update.preview", "to", u.Audience)
	}
	for _, text := range []string{u.Text.En, u.Text.Zh} {
		if text != "" && (text == u.Text.En || text != u.Text.En) {
			for line := range strings.SplitSeq(text, "\n") {
				_, _ = io.WriteString(c.out, "  "+clean(line)+"\n")
			}
		}
	}
}

func (c *cli) incidentUpdatesCommand() *cobra.Command {
	return c.command("updates <incident>", "incident.updates", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		all, err := controlapi.List[continuity.Update](cmd.Context(), node, "/incidents/"+url.PathEscape(args[0])+"/updates", nil, 0)
		if err != nil {
			return err
		}
		return c.show(all, func() {
			t := table{head: c.heads("update", "audience", "state", "time", "actor", "approved", "expected", "next-update", "text"), none: c.t("cli.incident.updates.none")}
			for i := range all {
				u := &all[i]
				approved := ""
				if u.Approved != nil {
					approved = u.Approved.ID
				}
				t.add(u.ID, u.Audience, c.updateState(u), clock(u.At), c.actor(u.By), approved, clock(u.Expected), clock(u.Next), c.inExercise(u.Exercise, c.said(u.Text)))
			}
			c.table(t)
		})
	})
}

// updateState says how far an update is, and why.
func (c *cli) updateState(u *continuity.Update) string {
	state := c.term("announce.state.", u.State)
	switch {
	case strings.HasPrefix(u.Reason, "announce.withdrawn."):
		state += ": " + c.t(u.Reason)
	case u.Reason != "":
		state += ": " + clean(u.Reason)
	case u.State == continuity.UpdateDraft && !u.Stuck.IsZero():
		state += ": " + c.t("cli.incident.waiting", "id", u.ID)
	}
	return state
}

// waiting are words that nobody has approved yet.
func (c *cli) waiting(all []continuity.Update) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(c.out)
	t := table{head: c.heads("update", "audience", "actor", "asked", "state")}
	for i := range all {
		u := &all[i]
		t.add(u.ID, u.Audience, u.By.ID, strings.Join(u.Asked, ", "), c.updateState(u))
	}
	c.table(t)
}

// judgeUpdate says what becomes of an update that waits.
func (c *cli) judgeUpdate(cmd *cobra.Command, id, what string, body any) error {
	node, err := c.connectControl()
	if err != nil {
		return err
	}
	path := "/updates/" + url.PathEscape(id)
	_, version, err := controlapi.Get[continuity.Update](cmd.Context(), node, path, nil)
	if err != nil {
		return err
	}
	u, _, err := controlapi.Put[continuity.Update](cmd.Context(), node, path+"/"+what, version, body)
	if err != nil {
		return err
	}
	return c.show(u, func() { c.showUpdate(&u) })
}

func (c *cli) incidentApproveCommand() *cobra.Command {
	return c.command("approve <update>", "incident.approve", exactly(1), func(cmd *cobra.Command, args []string) error {
		return c.judgeUpdate(cmd, args[0], "approve", struct{}{})
	})
}

func (c *cli) incidentRejectCommand() *cobra.Command {
	var why string
	cmd := c.command("reject <update> --why REASON", "incident.reject", exactly(1), func(cmd *cobra.Command, args []string) error {
		if err := reasoned(why); err != nil {
			return err
		}
		return c.judgeUpdate(cmd, args[0], "reject", map[string]string{"why": why})
	})
	return c.whyFlag(cmd, &why)
}

func (c *cli) incidentLossCommand() *cobra.Command {
	return c.command("loss <incident>", "incident.loss", exactly(1), func(cmd *cobra.Command, args []string) error {
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		l, _, err := controlapi.Get[incident.Loss](cmd.Context(), node, "/incidents/"+url.PathEscape(args[0])+"/loss", nil)
		if err != nil {
			return err
		}
		return c.show(l, func() {
			t := table{head: c.heads("process", "counted", "amount", "note"), none: c.t("cli.incident.loss.none")}
			for i := range l.Processes {
				p := &l.Processes[i]
				var says []string
				for _, s := range p.Says {
					says = append(says, c.said(s))
				}
				t.add(p.Process, c.lasts(time.Duration(p.Counted*float64(time.Second))), amounts(p.Lost), strings.Join(says, " "))
			}
			c.table(t)
			seconds := func(s float64) string { return catalogue.Lasts(c.lang, time.Duration(s*float64(time.Second))) }
			if slices.ContainsFunc(l.Processes, func(p incident.ProcessLoss) bool { return p.Counted+p.Others < l.Down-1 }) {
				c.say("cli.incident.loss.hours", "outage", seconds(l.Down))
			}
			for i := range l.Processes {
				if p := &l.Processes[i]; len(p.CountedIn) > 0 && p.Others >= 1 {
					c.say("cli.incident.loss.others", "process", clean(p.Process), "time", seconds(p.Others), "ids", clean(strings.Join(p.CountedIn, ", ")))
				}
			}
			switch total := amounts(l.Total); {
			case total == "":
			case l.AtMost:
				c.say("cli.incident.loss.at-most", "total", total)
			default:
				c.say("cli.incident.loss.total", "total", total)
			}
		})
	})
}

// amounts are sums for people: to a hundredth, but for what is less than one.
func amounts(all []incident.Amount) string {
	texts := make([]string, len(all))
	for i, a := range all {
		if sum, ok := new(big.Rat).SetString(a.Amount); ok && !sum.IsInt() && sum.Cmp(big.NewRat(1, 1)) > 0 {
			a.Amount = sum.FloatString(2)
		}
		texts[i] = a.Amount + " " + a.Currency
	}
	return strings.Join(texts, " + ")
}

func (c *cli) incidentEvidenceCommand() *cobra.Command {
	var to string
	var key, force bool
	cmd := c.command("evidence <incident> --to FILE", "incident.evidence", atMost(1), func(cmd *cobra.Command, args []string) error {
		if key {
			return c.evidenceKey(cmd)
		}
		if len(args) == 0 || to == "" {
			return invalid("cli.invalid.evidence-to")
		}
		if exists(to) && !force {
			return invalid("cli.invalid.there", "file", to)
		}
		node, err := c.connectControl()
		if err != nil {
			return err
		}
		from, err := node.Open(cmd.Context(), "/incidents/"+url.PathEscape(args[0])+"/evidence", nil)
		if err != nil {
			return err
		}
		defer from.Close()
		file, err := io.ReadAll(from)
		if err != nil {
			return continuity.E(continuity.CodeUnreachable, err, "control", true)
		}
		r, err := evidence.Verify(file, "")
		if err != nil {
			return err
		}
		if err := whole(to, force, func(w io.Writer) error {
			_, err := w.Write(file)
			return err
		}); err != nil {
			return err
		}
		return c.show(r, func() { c.showEvidence(&r, "cli.incident.evidence.done", to) })
	})
	f := cmd.Flags()
	f.StringVar(&to, "to", "", c.t("cli.flag.evidence-to"))
	f.BoolVar(&force, "force", false, c.t("cli.flag.overwrite"))
	f.BoolVar(&key, "key", false, c.t("cli.flag.evidence-key"))
	return cmd
}

func (c *cli) evidenceKey(cmd *cobra.Command) error {
	node, err := c.connectControl()
	if err != nil {
		return err
	}
	k, _, err := controlapi.Get[controlapi.SealingKey](cmd.Context(), node, "/evidence-key", nil)
	if err != nil {
		return err
	}
	return c.show(k, func() { _, _ = io.WriteString(c.out, k.Key+"\n") })
}

func (c *cli) showEvidence(r *evidence.Report, done, file string) {
	c.say(done, "file", file, "incident", clean(r.Incident))
	t := table{head: c.heads("what", "value")}
	t.add(c.t("cli.incident.evidence.made"), clock(r.Made)+" "+c.actor(r.By)+" "+r.Node)
	t.add(c.t("cli.incident.evidence.events"), fmt.Sprintf("%d (%d - %d)", r.Events, r.First, r.Last))
	t.add(c.t("cli.incident.evidence.objects"), fmt.Sprint(r.Objects))
	t.add(c.t("cli.incident.evidence.masked"), fmt.Sprint(r.Masked))
	if !r.Whole || r.Left > 0 {
		t.add(c.t("cli.incident.evidence.left"), fmt.Sprint(r.Left))
	}
	t.add("SHA-256", r.Sum)
	t.add(c.t("cli.incident.evidence.key"), r.Key)
	c.table(t)
}

// mostEvidence bounds a file that is read to verify it.
const mostEvidence = 512 << 20

func (c *cli) incidentVerifyCommand() *cobra.Command {
	var key string
	cmd := c.command("verify <file>", "incident.verify", exactly(1), func(_ *cobra.Command, args []string) error {
		info, err := os.Stat(args[0])
		if err == nil && info.Size() > mostEvidence {
			err = errors.New("too large")
		}
		var file []byte
		if err == nil {
			file, err = os.ReadFile(args[0])
		}
		if err != nil {
			why := ""
			switch {
			case errors.Is(err, fs.ErrNotExist):
				why = "none"
			case file == nil && info != nil && info.Size() > mostEvidence:
				why = "large"
			}
			return invalid("cli.invalid.evidence-file", "file", args[0], "why", why)
		}
		r, err := evidence.Verify(file, key)
		if err != nil {
			return err
		}
		return c.show(r, func() {
			c.showEvidence(&r, "cli.incident.verify.done", args[0])
			if key == "" {
				c.say("cli.incident.verify.compare")
			}
		})
	})
	cmd.Flags().StringVar(&key, "key", "", c.t("cli.flag.verify-key"))
	return cmd
}
