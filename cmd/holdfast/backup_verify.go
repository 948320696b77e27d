package main

import (
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/backup"
	"holdfast/internal/backup/engine"
)

type provedDoc struct {
	Target string        `json:"target"`
	Error  string        `json:"error,omitempty"`
	Proof  *backup.Proof `json:"proof,omitempty"`
}

func (c *cli) backupVerifyCommand() *cobra.Command {
	cmd := c.command("verify [piece]", "backup.verify", atMost(1), nil)
	b := c.addBackup(cmd, "from")
	c.addScratch(cmd, b)
	c.addQueries(cmd, b)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		e, err := c.openBackups(ctx, b)
		if err != nil {
			return err
		}
		set, err := c.oneSet(ctx, e, b)
		if err != nil {
			return err
		}
		listings := e.List(ctx, set)
		if c.sealedElsewhere(listings, b.ring.file) > 0 && !slices.ContainsFunc(listings, func(l engine.Listing) bool { return len(l.Pieces) > 0 }) {
			return otherKeys(set, b.ring.file)
		}
		if err := c.withDriver(&set, b, listings); err != nil {
			return err
		}
		if _, err := e.SweepScratch(); err != nil {
			c.warn("backup.verify.left", "reason", err.Error())
		}
		piece := ""
		if len(args) == 1 {
			piece = args[0]
		}
		var all []provedDoc
		bad := false
		for _, l := range listings {
			p := c.newProgress()
			proof, err := e.Verify(ctx, set, l.Target, piece, p.report)
			p.close()
			if err != nil && len(listings) == 1 {
				return err
			}
			doc := provedDoc{Target: l.Target, Error: c.wrong(err)}
			if err == nil {
				doc.Proof = &proof
			}
			bad = bad || err != nil || !proof.Good
			all = append(all, doc)
		}
		err = c.show(struct {
			Items []provedDoc `json:"items"`
		}{all}, func() {
			for _, doc := range all {
				if doc.Proof == nil {
					c.warn("backup.verify.failed", "target", doc.Target, "reason", doc.Error)
					continue
				}
				c.verdict(doc.Target, *doc.Proof)
			}
		})
		if err == nil && bad {
			err = findings{}
		}
		return err
	}
	return cmd
}

type prunedDoc struct {
	Target string            `json:"target"`
	Error  string            `json:"error,omitempty"`
	Kept   int               `json:"chains_kept"`
	Why    map[string]string `json:"why"`
	Goes   []goesDoc         `json:"goes"`
	Done   int               `json:"removed"`
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
		return c.showPruned(e.Prune(ctx, set, dry), dry)
	}
	return cmd
}

func (c *cli) showPruned(pruned []engine.Pruned, dry bool) error {
	var all []prunedDoc
	bad := false
	for _, p := range pruned {
		doc := prunedDoc{Target: p.Target, Error: c.wrong(p.Err), Kept: len(p.Keep), Why: p.Why, Goes: []goesDoc{}, Done: p.Done}
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
		}
	})
	if err == nil && bad {
		err = findings{}
	}
	return err
}
