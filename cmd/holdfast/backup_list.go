package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/backup"
	"holdfast/internal/backup/engine"
	"holdfast/internal/continuity"
)

type listingDoc struct {
	Service string            `json:"service"`
	Set     string            `json:"set"`
	Target  string            `json:"target"`
	Error   string            `json:"error,omitempty"`
	Chains  []chainDoc        `json:"chains"`
	Pieces  []backup.Manifest `json:"pieces,omitempty"`
	Proofs  []backup.Proof    `json:"proofs,omitempty"`
	Bad     []badDoc          `json:"bad,omitempty"`
	Lone    []string          `json:"without_manifest,omitempty"`
	Orphans []string          `json:"without_full,omitempty"`
}

// well reports whether nothing is wrong with what a target has.
func (d *listingDoc) well() bool {
	refuted := slices.ContainsFunc(d.Chains, func(c chainDoc) bool { return c.State == backup.Refuted })
	return d.Error == "" && len(d.Bad)+len(d.Lone)+len(d.Orphans) == 0 && !refuted
}

type chainDoc struct {
	Full   string         `json:"full"`
	Kind   string         `json:"kind"`
	Pieces int            `json:"pieces"`
	Bytes  int64          `json:"bytes"`
	Begins time.Time      `json:"begins"`
	Ends   time.Time      `json:"ends"`
	State  backup.State   `json:"state"`
	Faults []backup.Fault `json:"faults,omitempty"`
}

type badDoc struct {
	Name  string `json:"name"`
	Error string `json:"error"`
}

func (c *cli) listing(set engine.Set, l engine.Listing) listingDoc {
	doc := listingDoc{Service: set.Service, Set: set.ID, Target: l.Target, Error: c.wrong(l.Err), Chains: []chainDoc{}, Pieces: l.Pieces, Proofs: l.Proofs, Lone: l.Lone}
	for _, p := range l.Pieces {
		if _, there := l.Piece(p.Base); p.Type == backup.TypeDelta && !there {
			doc.Orphans = append(doc.Orphans, p.Path())
		}
	}
	for _, chain := range l.Chains {
		doc.Chains = append(doc.Chains, chainOf(chain, l.Proofs))
	}
	for _, b := range l.Bad {
		doc.Bad = append(doc.Bad, badDoc{b.Name, c.wrong(b.Err)})
	}
	return doc
}

func chainOf(chain backup.Chain, proofs []backup.Proof) chainDoc {
	pieces := chain.Pieces()
	doc := chainDoc{
		Full: chain.Full.ID, Kind: chain.Full.Driver, Pieces: len(pieces), Begins: chain.Begins(), Ends: chain.Ends(),
		State: backup.StateOf(chain, proofs), Faults: chain.Faults,
	}
	for _, p := range pieces {
		doc.Bytes += p.Bytes
	}
	return doc
}

func (c *cli) backupListCommand() *cobra.Command {
	cmd := c.command("list", "backup.list", exactly(0), nil)
	b := c.addBackup(cmd, "from")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		e, err := c.openBackups(ctx, b)
		if err != nil {
			return err
		}
		sets, err := e.Sets(ctx)
		if err != nil {
			return err
		}
		var all []listingDoc
		for _, set := range sets {
			if b.service != "" && b.service != set.Service || b.set != "" && b.set != set.ID {
				continue
			}
			for _, l := range e.List(ctx, set) {
				doc := c.listing(set, l)
				doc.Pieces, doc.Proofs = nil, nil
				all = append(all, doc)
			}
		}
		err = c.show(struct {
			Items []listingDoc `json:"items"`
		}{all}, func() { c.chains(all) })
		if err == nil && slices.ContainsFunc(all, func(d listingDoc) bool { return !d.well() }) {
			err = findings{}
		}
		return err
	}
	return cmd
}

func (c *cli) chains(all []listingDoc) {
	t := table{
		head: c.heads("service", "set", "target", "full", "kind", "pieces", "bytes", "from", "until", "state"), right: []int{5, 6},
		none: c.t("backup.list.none"),
	}
	for _, l := range all {
		if l.Error != "" {
			c.warn("backup.list.unreachable", "target", l.Target, "reason", l.Error)
		}
		for _, bad := range l.Bad {
			c.warn("backup.list.bad", "target", l.Target, "name", bad.Name, "reason", bad.Error)
		}
		for _, name := range l.Lone {
			c.warn("backup.list.lone", "target", l.Target, "name", name)
		}
		for _, name := range l.Orphans {
			c.warn("backup.list.orphan", "target", l.Target, "name", name)
		}
		for _, chain := range l.Chains {
			t.add(l.Service, l.Set, l.Target, chain.Full, chain.Kind, fmt.Sprint(chain.Pieces), c.bytes(chain.Bytes),
				clock(chain.Begins), clock(chain.Ends), c.proofState(chain.State))
			for _, f := range chain.Faults {
				c.warn("backup.list.fault", "set", l.Set, "target", l.Target, "what", c.fault(f))
			}
		}
	}
	c.table(t)
}

// sealedElsewhere counts the files that the keys at hand don't open, and warns of them: newer
// backups may be among them.
func (c *cli) sealedElsewhere(listings []engine.Listing, file string) int {
	n := 0
	for _, l := range listings {
		closed := 0
		for _, b := range l.Bad {
			if continuity.CodeOf(b.Err) == continuity.CodeNoKey {
				closed++
			}
		}
		if closed > 0 {
			c.warn("backup.list.closed", "target", l.Target, "n", closed, "file", file)
		}
		n += closed
	}
	return n
}

// proofState names what is proven for people; pipes get the stable word.
func (c *cli) proofState(s backup.State) string {
	if !terminal(c.out) {
		return string(s)
	}
	return c.t("backup.state." + string(s))
}

func (c *cli) fault(f backup.Fault) string {
	return c.t("backup.fault."+f.Kind, "piece", f.Piece, "from", f.From.At, "to", f.To.At)
}

func (c *cli) backupShowCommand() *cobra.Command {
	cmd := c.command("show [piece]", "backup.show", atMost(1), nil)
	b := c.addBackup(cmd, "from")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		e, err := c.openBackups(ctx, b)
		if err != nil {
			return err
		}
		set, err := c.oneSet(ctx, e, b)
		if err != nil {
			return err
		}
		listings := e.List(ctx, set)
		if len(args) == 1 {
			return c.showPiece(set, listings, args[0])
		}
		return c.showSet(ctx, set, listings)
	}
	return cmd
}

func (c *cli) showSet(_ context.Context, set engine.Set, listings []engine.Listing) error {
	var all []listingDoc
	for _, l := range listings {
		all = append(all, c.listing(set, l))
	}
	return c.show(struct {
		Items []listingDoc `json:"items"`
	}{all}, func() {
		t := table{head: c.heads("target", "piece", "type", "at", "bytes", "state", "name"), right: []int{4}, none: c.t("backup.list.none")}
		for _, l := range all {
			for _, p := range l.Pieces {
				state := ""
				if p.Type != backup.TypeLog {
					known, _ := backup.Proved([]backup.Manifest{p}, l.Proofs)
					state = c.proofState(known)
				}
				t.add(l.Target, p.ID, p.Type, clock(p.Taken), c.bytes(p.Bytes), state, p.File)
			}
			for _, chain := range l.Chains {
				for _, f := range chain.Faults {
					c.warn("backup.list.fault", "set", l.Set, "target", l.Target, "what", c.fault(f))
				}
			}
		}
		c.table(t)
	})
}

type pieceDoc struct {
	Target string          `json:"target"`
	Piece  backup.Manifest `json:"piece"`
	Proof  *backup.Proof   `json:"proof,omitempty"`
}

func (c *cli) showPiece(set engine.Set, listings []engine.Listing, id string) error {
	var all []pieceDoc
	for _, l := range listings {
		if p, there := l.Piece(id); there {
			doc := pieceDoc{Target: l.Target, Piece: p}
			if _, proof := backup.Proved([]backup.Manifest{p}, l.Proofs); proof.Piece != "" {
				doc.Proof = &proof
			}
			all = append(all, doc)
		}
	}
	if len(all) == 0 {
		return invalid("backup.invalid.piece", "piece", id, "set", set.ID)
	}
	return c.show(struct {
		Items []pieceDoc `json:"items"`
	}{all}, func() {
		p := all[0].Piece
		t := table{head: c.heads("what", "value")}
		for _, row := range [][2]string{
			{"name", p.Path()}, {"type", c.t("backup.type." + p.Type)}, {"kind", p.Driver}, {"started", clock(p.Started)}, {"taken", clock(p.Taken)},
			{"base", p.Base}, {"parent", p.Parent}, {"from", p.From.At}, {"to", p.To.At}, {"bytes", c.bytes(p.Bytes)}, {"plain", c.bytes(p.Plain)},
			{"key", p.Key}, {"sha256", p.SHA256}, {"figures", fmt.Sprint(len(p.Figures))},
		} {
			if row[1] != "" {
				t.add(c.t("backup.field."+row[0]), row[1])
			}
		}
		c.table(t)
		for _, doc := range all {
			if doc.Proof != nil {
				c.verdict(doc.Target, *doc.Proof)
			}
		}
	})
}

// verdict tells what a restore for proof found; of figures only those that differ.
func (c *cli) verdict(target string, p backup.Proof) {
	id := "backup.verify.good"
	switch {
	case !p.Good && p.Broken != "":
		id = "backup.verify.broken"
	case !p.Good && p.Failed != "":
		id = "backup.verify.failing"
	case !p.Good:
		id = "backup.verify.bad"
	}
	c.say(id, "target", target, "piece", p.Piece, "at", clock(p.Ended), "n", len(p.Found), "took_seconds", p.Speed.Restore+p.Speed.Figures, "reason", p.Reason, "broken", p.Broken)
	t := table{head: c.heads("what", "measure", "wanted", "found")}
	for _, f := range slices.DeleteFunc(slices.Clone(p.Found), func(f backup.Compared) bool { return f.Good }) {
		t.add(f.Of, c.t("backup.measure."+f.Measure), f.Want, f.Got)
	}
	if len(t.rows) > 0 {
		c.table(t)
	}
}
