package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/continuity"
	"holdfast/internal/durable"
	"holdfast/internal/plan"
	"holdfast/internal/plan/cards"
	"holdfast/internal/plan/paper"
	"holdfast/internal/yamldoc"
)

// cardOptions are what `plan cards` is told.
type cardOptions struct {
	people, dir, font string
	html, pdf         bool
}

func (c *cli) planCardsCommand() *cobra.Command {
	var o cardOptions
	cmd := c.command("cards PLAN [--people FILE] [--to DIR] [--html|--pdf] [--font FILE]", "plan-cards", exactly(1), func(_ *cobra.Command, args []string) error {
		if o.html && o.pdf {
			return invalid("cli.invalid.cards-one")
		}
		return c.planCards(args[0], o)
	})
	f := cmd.Flags()
	f.StringVar(&o.people, "people", "", c.t("cli.flag.people"))
	f.StringVar(&o.dir, "to", "cards", c.t("cli.flag.cards-dir"))
	f.BoolVar(&o.html, "html", false, c.t("cli.flag.cards-html"))
	f.BoolVar(&o.pdf, "pdf", false, c.t("cli.flag.cards-pdf"))
	f.StringVar(&o.font, "font", "", c.t("cli.flag.font"))
	return cmd
}

// planCards prints a plan. Nothing is written unless all of it can be.
func (c *cli) planCards(file string, o cardOptions) error {
	r := &planReport{texts: map[string][]byte{}}
	plans, err := r.parse([]string{file}, o.people)
	if err != nil {
		return err
	}
	if yamldoc.Failed(r.problems) || len(plans) != 1 {
		c.reported = true
		return errors.Join(c.tell(r), continuity.E(continuity.CodeConfig, nil))
	}
	p := plans[0]
	model, warnings := paper.Cards(p, r.people, paper.Options{Lang: c.lang, Version: r.fingerprint(p), Made: time.Now()})
	r.problems = append(r.problems, warnings...)
	made := map[string][]byte{}
	base := filepath.Join(o.dir, p.ID+"."+string(c.lang))
	if !o.html {
		printed, err := c.planPDF(model, o.font)
		if err != nil {
			return err
		}
		made[base+".pdf"] = printed
	}
	if !o.pdf {
		var page bytes.Buffer
		if err := cards.HTML(&page, model); err != nil {
			return err
		}
		made[base+".html"] = page.Bytes()
	}
	if err := os.MkdirAll(o.dir, 0o750); err != nil {
		return invalid("cli.invalid.write", "file", o.dir, "cause", err.Error())
	}
	written := []string{}
	for _, ext := range []string{".pdf", ".html"} {
		content, there := made[base+ext]
		if !there {
			continue
		}
		if err := durable.Replace(base+ext, content); err != nil {
			return invalid("cli.invalid.write", "file", base+ext, "cause", err.Error())
		}
		written = append(written, base+ext)
	}
	if c.json {
		return c.show(map[string]any{"files": written, "problems": r.problems}, nil)
	}
	for _, name := range written {
		c.say("cli.plan.cards.done", "file", name, "n", len(p.Scenarios))
	}
	return c.tell(r)
}

// planPDF refuses what no font can print.
func (c *cli) planPDF(model *cards.Plan, fontFile string) ([]byte, error) {
	var o cards.Options
	if fontFile != "" {
		font, err := os.ReadFile(fontFile) // #nosec G304 -- named by whoever runs it
		if err != nil {
			return nil, invalid("cli.invalid.font", "file", fontFile, "cause", err.Error())
		}
		o.Font = font
	}
	printed, lacking, err := cards.PDF(model, o)
	switch {
	case errors.Is(err, cards.ErrNoChinese):
		return nil, invalid("cli.invalid.no-chinese")
	case err != nil && fontFile != "":
		return nil, invalid("cli.invalid.font", "file", fontFile, "cause", err.Error())
	case err != nil:
		return nil, err
	case len(lacking) > 0:
		return nil, c.lacking(lacking)
	}
	return printed, nil
}

// mostLacks is how many characters that no font has are told to people.
const mostLacks = 10

func (c *cli) lacking(lacking []cards.Lack) error {
	c.reported = true
	failed := continuity.E(continuity.CodeConfig, nil)
	if c.json {
		said := make([]map[string]string, len(lacking))
		for i, l := range lacking {
			said[i] = map[string]string{"at": l.In[0].At, "character": string(l.Char), "text": l.In[0].Text, "message": l.Message(c.lang)}
		}
		return errors.Join(c.show(said, nil), failed)
	}
	for _, l := range lacking[:min(len(lacking), mostLacks)] {
		fmt.Fprintln(c.err, l.Message(c.lang))
	}
	if more := len(lacking) - mostLacks; more > 0 {
		fmt.Fprintln(c.err, c.t("cli.plan.cards.more", "n", more))
	}
	return failed
}

// fingerprint tells which text of a plan is on a paper: there is no number of
// a version without a node.
func (r *planReport) fingerprint(p *plan.Plan) string {
	sum := sha256.New()
	for _, file := range []string{p.File, plan.TechName(p.File)} {
		sum.Write(r.texts[file])
	}
	return hex.EncodeToString(sum.Sum(nil))[:8]
}
