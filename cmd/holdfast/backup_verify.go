package main

import (
	"os"
	"os/signal"
	"slices"
	"syscall"

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
