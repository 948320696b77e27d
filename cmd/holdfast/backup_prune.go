package main

import (
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/backup"
	"holdfast/internal/backup/engine"
)

type prunedDoc struct {
	Target string            `json:"target"`
	Error  string            `json:"error,omitempty"`
	Kept   int               `json:"chains_kept"`
	Why    map[string]string `json:"why"`
	Goes   []goesDoc         `json:"goes"`
	Done   int               `json:"removed"`

	Uploads int      `json:"uploads_swept"`
	Files   []string `json:"files_swept"`
}

type goesDoc struct {
	Piece string    `json:"piece"`
	Name  string    `json:"name"`
	Taken time.Time `json:"taken"`
	Why   string    `json:"why"`
}

func (c *cli) backupPruneCommand() *cobra.Command {
	cmd := c.command("prune", "backup.prune", exactly(0), nil)
	b := c.addBackup(cmd, "from")
	cmd.Flags().StringArrayVar(&b.removing, "prune-credentials-file", nil, c.t("cli.flag.backup-prune-credentials-file"))
	var rules backup.Rules
	var dry, yes bool
	f := cmd.Flags()
	f.DurationVar(&rules.For, "keep", 35*24*time.Hour, c.t("cli.flag.backup-keep"))
	f.IntVar(&rules.Proven, "keep-proven", 3, c.t("cli.flag.backup-keep-proven"))
	f.DurationVar(&rules.Every, "every", 0, c.t("cli.flag.backup-every"))
	f.BoolVar(&dry, "dry-run", false, c.t("cli.flag.backup-dry-run"))
	f.BoolVar(&yes, "yes", false, c.t("cli.flag.yes"))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		e, err := c.openBackups(ctx, b)
		if err != nil {
			return err
		}
		set, err := c.oneSet(ctx, e, b)
		if err != nil {
			return err
		}
		set.Rules = rules
		if !dry {
			n := 0
			for _, p := range e.Prune(ctx, set, true) {
				n += len(p.Goes)
			}
			if n > 0 {
				if err := c.confirm(yes, "backup.prune.confirm", "n", n); err != nil {
					return err
				}
			}
		}
		pruned := e.Prune(ctx, set, dry)
		var swept []engine.Swept
		if !dry {
			swept = e.Sweep(ctx, set)
		}
		return c.showPruned(pruned, swept, dry)
	}
	return cmd
}

func (c *cli) showPruned(pruned []engine.Pruned, swept []engine.Swept, dry bool) error {
	var all []prunedDoc
	bad := false
	for i, p := range pruned {
		doc := prunedDoc{Target: p.Target, Kept: len(p.Keep), Why: p.Why, Goes: []goesDoc{}, Done: p.Done, Files: []string{}}
		if len(swept) > 0 {
			doc.Uploads, doc.Files = swept[i].Uploads, append(doc.Files, swept[i].Files...)
			if p.Err == nil {
				p.Err = swept[i].Err
			}
		}
		doc.Error = c.wrong(p.Err)
		for _, g := range p.Goes {
			doc.Goes = append(doc.Goes, goesDoc{g.ID, g.Path(), g.Taken, g.Why})
		}
		bad = bad || p.Err != nil
		all = append(all, doc)
	}
	err := c.show(struct {
		Items []prunedDoc `json:"items"`
	}{all}, func() {
		t := table{head: c.heads("target", "piece", "at", "why", "name")}
		for _, doc := range all {
			if doc.Error != "" {
				c.warn("backup.prune.failed", "target", doc.Target, "reason", doc.Error)
			}
			for _, g := range doc.Goes {
				t.add(doc.Target, g.Piece, clock(g.Taken), c.t("backup.why."+g.Why), g.Name)
			}
		}
		c.table(t)
		for _, doc := range all {
			id := "backup.prune.done"
			if dry {
				id = "backup.prune.dry"
			}
			c.warnOnly(id, "target", doc.Target, "n", len(doc.Goes), "done", doc.Done, "kept", doc.Kept)
			if n := doc.Uploads + len(doc.Files); n > 0 {
				c.warnOnly("backup.prune.swept", "target", doc.Target, "n", n)
			}
		}
	})
	if err == nil && bad {
		err = findings{}
	}
	return err
}
