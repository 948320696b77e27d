package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"holdfast/internal/config"
	"holdfast/internal/continuity"
	"holdfast/internal/journal"
)

func (c *cli) journalCommand() *cobra.Command {
	cmd := c.group("journal", "journal")
	cmd.AddCommand(c.inspectCommand(), c.verifyCommand())
	return cmd
}

// journalDir is the journal's folder, whether or not the configuration can be
// used.
func (c *cli) journalDir() string {
	return filepath.Join(config.DataDir(c.where.configFile()), "journal")
}

func (c *cli) inspectCommand() *cobra.Command {
	cmd := c.command("inspect", "journal-inspect", exactly(0), nil)
	entries := cmd.Flags().Bool("entries", false, c.t("cli.flag.entries"))
	from := cmd.Flags().Uint64("from", 0, c.t("cli.flag.from"))
	limit := cmd.Flags().Int("limit", 0, c.t("cli.flag.limit"))
	cmd.RunE = func(*cobra.Command, []string) error {
		dir := journal.Dir(c.journalDir())
		if *entries {
			return c.inspectEntries(dir, continuity.Position(*from), *limit)
		}
		report, err := journal.Verify(dir)
		if err != nil {
			return c.journalError(err)
		}
		return c.show(report, func() {
			t := table{head: c.heads("segment", "state", "position", "entries", "bytes", "payload"), right: []int{2, 3, 4, 5}}
			for _, s := range report.Segments {
				t.add(s.File, c.word("cli.segment.", s.State), fmt.Sprint(s.Start), c.number(s.Entries), c.bytes(s.Bytes), c.bytes(s.Payload))
			}
			for _, s := range report.Checkpoints {
				t.add(s.File, c.word("cli.segment.", "checkpoint"), fmt.Sprint(s.At), "", c.bytes(s.Bytes), "")
			}
			c.table(t)
		})
	}
	return cmd
}

// inspectEntries prints entries as they are read, as there may be millions.
func (c *cli) inspectEntries(dir journal.FS, from continuity.Position, limit int) error {
	t := table{head: c.heads("position", "kind", "bytes", "payload", "segment"), right: []int{0, 2, 3}}
	const page = 1000
	n := 0
	flush := func() {
		c.table(t)
		t.rows = nil
	}
	for frame, err := range journal.Inspect(dir, from) {
		if err != nil {
			flush()
			return c.journalError(err)
		}
		if limit > 0 && n == limit {
			break
		}
		n++
		if c.json {
			if err := c.show(frame, nil); err != nil {
				return err
			}
			continue
		}
		t.add(fmt.Sprint(frame.Position), frame.Kind, fmt.Sprint(frame.Bytes), fmt.Sprint(frame.Payload), frame.File)
		if len(t.rows) == page {
			flush()
		}
	}
	if !c.json {
		flush()
	}
	return nil
}

func (c *cli) verifyCommand() *cobra.Command {
	return c.command("verify", "journal-verify", exactly(0), func(*cobra.Command, []string) error {
		report, err := journal.Verify(journal.Dir(c.journalDir()))
		if err != nil {
			return c.journalError(err)
		}
		if err := c.show(report, func() { c.showVerified(report) }); err != nil {
			return err
		}
		if report.Damaged() {
			c.reported = true
			return continuity.E(continuity.CodeDamaged, nil)
		}
		return nil
	})
}

func (c *cli) showVerified(r journal.Report) {
	t := table{head: c.heads("finding", "level", "segment", "position", "bytes", "what"), right: []int{3, 4}}
	for _, f := range r.Findings {
		level := "harmless"
		if f.Damage {
			level = "damage"
		}
		t.add(c.word("cli.found.", f.What), c.word("cli.found.", level), f.File, fmt.Sprint(f.Offset), fmt.Sprint(f.Bytes), f.Detail)
	}
	if len(t.rows) > 0 {
		c.table(t)
	}
	if r.Damaged() {
		fmt.Fprintln(c.err, c.t("cli.journal.unsound"))
		return
	}
	c.say("cli.journal.sound", "segments", r.Used(), "spare", len(r.Segments)-r.Used(), "entries", c.number(r.Entries),
		"bytes", humanize.IBytes(uint64(max(r.Bytes, 0)))) // a sentence needs the unit in a pipe too
	if r.InUse {
		c.say("cli.journal.in-use")
	}
}

// journalError gives an error of the journal's files its code.
func (c *cli) journalError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return continuity.E(continuity.CodeNotFound, err, "journal", c.journalDir())
	case errors.Is(err, journal.ErrDamaged):
		return continuity.E(continuity.CodeDamaged, err)
	default:
		return err
	}
}
