package main

import (
	"github.com/spf13/cobra"

	"holdfast/internal/config"
	"holdfast/internal/doctor"
)

// checkup is the doctor's findings for a program.
type checkup struct {
	Checks []told               `json:"checks"`
	Counts map[doctor.Level]int `json:"counts"`
}

type told struct {
	doctor.Finding
	Name   string `json:"name"`
	Text   string `json:"text"`
	Advice string `json:"advice,omitempty"`
}

func (c *cli) doctorCommand() *cobra.Command {
	cmd := c.command("doctor", "doctor", exactly(0), nil)
	strict := cmd.Flags().Bool("strict", false, c.t("cli.flag.strict"))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		b := buildInfo()
		target := doctor.Target{Version: b.Version, Go: b.Go, Revision: b.Revision, Modified: b.Modified, File: c.where.configFile()}
		target.Config, target.Problems, target.Err = config.Load(target.File)
		found := doctor.Run(cmd.Context(), target)
		sum := doctor.Sum(found)
		report := checkup{Counts: sum}
		for _, f := range found {
			report.Checks = append(report.Checks, told{f, f.Name(c.lang), f.Text(c.lang), f.Advice(c.lang)})
		}
		if err := c.show(report, func() { c.showCheckup(report) }); err != nil {
			return err
		}
		if sum[doctor.Fail] > 0 || *strict && sum[doctor.Warn] > 0 {
			return findings{}
		}
		return nil
	}
	return cmd
}

func (c *cli) showCheckup(r checkup) {
	t := table{head: c.heads("level", "check", "finding-text")}
	for _, f := range r.Checks {
		t.add(c.word("cli.level.", string(f.Level)), f.Name, f.Text)
		if f.Advice != "" {
			t.add("", "", "→ "+f.Advice)
		}
	}
	c.table(t)
	c.say("cli.doctor.sum", "ok", r.Counts[doctor.OK], "warn", r.Counts[doctor.Warn], "fail", r.Counts[doctor.Fail])
}
