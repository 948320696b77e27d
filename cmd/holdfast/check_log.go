package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/spf13/cobra"

	"holdfast/internal/logs"
)

func (c *cli) checkLogCommand() *cobra.Command {
	var match, begins, encoding string
	var limit int
	cmd := c.command("log FILE", "check-log", exactly(1), func(cmd *cobra.Command, args []string) error {
		o := logs.Options{Encoding: encoding}
		var err error
		if o.Glob, err = filepath.Abs(args[0]); err != nil {
			return err
		}
		if !slices.Contains([]string{logs.Auto, logs.UTF8, logs.GBK}, encoding) {
			return invalid("cli.invalid.encoding", "value", encoding)
		}
		for text, into := range map[string]**regexp.Regexp{match: &o.Pattern, begins: &o.Begins} {
			if text == "" {
				continue
			}
			if *into, err = regexp.Compile(text); err != nil {
				return invalid("cli.invalid.pattern", "value", text)
			}
		}
		figures, templates, err := logs.Read(cmd.Context(), o)
		switch {
		case err != nil:
			return unread(args[0], err)
		case figures.Files == 0:
			return unread(args[0], fs.ErrNotExist)
		}
		slices.SortStableFunc(templates, func(a, b logs.Template) int { return cmp.Compare(b.Count, a.Count) })
		all := len(templates)
		templates = templates[:min(len(templates), limit)]
		return c.showLog(figures, templates, all)
	})
	f := cmd.Flags()
	f.StringVar(&match, "pattern", "", c.t("cli.flag.log-pattern"))
	f.StringVar(&begins, "begins", "", c.t("cli.flag.log-begins"))
	f.StringVar(&encoding, "encoding", logs.Auto, c.t("cli.flag.log-encoding"))
	f.IntVar(&limit, "limit", 50, c.t("cli.flag.log-limit"))
	return cmd
}

func (c *cli) showLog(f logs.Figures, templates []logs.Template, all int) error {
	type told struct {
		ID       string `json:"id"`
		Count    int64  `json:"count"`
		Template string `json:"template"`
	}
	list := []told{}
	for _, t := range templates {
		list = append(list, told{t.ID, t.Count, t.Text()})
	}
	return c.show(struct {
		Lines     int64  `json:"lines"`
		Records   int64  `json:"records"`
		Matched   int64  `json:"matched"`
		Binary    int64  `json:"binary"`
		Kinds     int    `json:"kinds"`
		Templates []told `json:"templates"`
	}{f.Counts.Lines, f.Counts.Records, f.Counts.Matched, f.Counts.Binary, all, list}, func() {
		t := table{head: c.heads("count", "template"), right: []int{0}}
		for _, x := range list {
			t.add(fmt.Sprint(x.Count), x.Template)
		}
		c.table(t)
		c.say("cli.check-log.sum", "lines", f.Counts.Lines, "records", f.Counts.Records, "kinds", all)
		if f.Pattern != "" {
			c.say("cli.check-log.matched", "count", f.Counts.Matched, "pattern", f.Pattern)
		}
	})
}
