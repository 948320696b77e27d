package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/backup"
	"holdfast/internal/backup/engine"
)

// restoring is what of a command line says what is to be restored, and where.
type restoring struct {
	*backupFlags
	moment    string
	into      string
	candidate int
	dry       bool
	over      bool
	serve     bool
	yes       bool
	by        string
	approved  string
	turn      map[string]*string // switch, undo, drop: the id of an earlier restore over the original
}

type candidateDoc struct {
	Number   int        `json:"number"`
	Target   string     `json:"target"`
	Full     string     `json:"full"`
	Pieces   int        `json:"pieces"`
	Bytes    int64      `json:"bytes"`
	Reaches  time.Time  `json:"reaches"`
	LossSecs float64    `json:"loss_seconds"`
	Takes    float64    `json:"takes_seconds,omitempty"`
	RealTime bool       `json:"real_time"`
	State    string     `json:"state"`
	ProvenAt *time.Time `json:"proven_at,omitempty"`
	Reasons  []string   `json:"reasons"`
}

func (c *cli) backupRestoreCommand() *cobra.Command {
	cmd := c.command("restore", "backup.restore", exactly(0), nil)
	r := &restoring{backupFlags: c.addBackup(cmd, "from"), turn: map[string]*string{}}
	c.addSource(cmd, r.backupFlags)
	c.addScratch(cmd, r.backupFlags)
	f := cmd.Flags()
	f.StringVar(&r.moment, "moment", "", c.t("cli.flag.backup-moment"))
	f.StringVar(&r.into, "into", "", c.t("cli.flag.backup-into"))
	f.IntVar(&r.candidate, "candidate", 1, c.t("cli.flag.backup-candidate"))
	f.BoolVar(&r.dry, "dry-run", false, c.t("cli.flag.backup-restore-dry-run"))
	f.BoolVar(&r.over, "over", false, c.t("cli.flag.backup-over"))
	f.BoolVar(&r.serve, "serve", false, c.t("cli.flag.backup-serve"))
	f.BoolVar(&r.yes, "yes", false, c.t("cli.flag.yes"))
	f.StringVar(&r.by, "by", "", c.t("cli.flag.backup-by"))
	f.StringVar(&r.approved, "approved-by", "", c.t("cli.flag.backup-approved-by"))
	for _, turn := range []string{"switch", "undo", "drop"} {
		r.turn[turn] = f.String(turn, "", c.t("cli.flag.backup-"+turn))
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		e, err := c.openBackups(ctx, r.backupFlags)
		if err != nil {
			return err
		}
		set, err := c.oneSet(ctx, e, r.backupFlags)
		if err != nil {
			return err
		}
		for _, turn := range []string{"switch", "undo", "drop"} {
			if id := *r.turn[turn]; id != "" {
				return c.turnRestored(ctx, e, set, r, turn, id)
			}
		}
		return c.restore(ctx, e, set, r)
	}
	return cmd
}

func (c *cli) restore(ctx context.Context, e *engine.Engine, set engine.Set, r *restoring) error {
	moment, err := whenOf(r.moment)
	if err != nil {
		return err
	}
	if r.over == (r.into != "") && !r.dry && !r.serve || r.over && r.into != "" {
		return invalid("backup.invalid.where")
	}
	candidates, listings, err := e.Candidates(ctx, set, moment)
	if err != nil {
		return err
	}
	for _, l := range listings {
		if l.Err != nil {
			c.warn("backup.list.unreachable", "target", l.Target, "reason", c.wrong(l.Err))
		}
	}
	closed := c.sealedElsewhere(listings, r.ring.file)
	if len(candidates) == 0 && closed > 0 {
		return otherKeys(set, r.ring.file)
	}
	if len(candidates) == 0 {
		return invalid("backup.invalid.no-candidate", "set", set.ID)
	}
	if r.dry {
		return c.showCandidates(candidates)
	}
	if r.candidate < 1 || r.candidate > len(candidates) {
		return invalid("backup.invalid.candidate", "n", len(candidates))
	}
	if err := c.withDriver(&set, r.backupFlags, listings); err != nil {
		return err
	}
	if !c.json {
		c.candidates(candidates[r.candidate-1:r.candidate], r.candidate)
	}
	want := engine.Want{Candidate: candidates[r.candidate-1], Moment: moment, Dir: r.into}
	var people twoPeople
	if r.over {
		if err := e.Replaceable(set); err != nil {
			return err
		}
		reaches := clock(want.Reaches)
		if people, err = c.agreed(r, set, reaches, "backup.restore.confirm", "set", set.Folder(), "reaches", reaches); err != nil {
			return err
		}
	}
	return c.carryOut(ctx, e, set, want, r, people)
}

type restoredDoc struct {
	ID       string            `json:"id,omitempty"` // of what was prepared or put in its source's place
	Folder   string            `json:"folder,omitempty"`
	Address  string            `json:"address,omitempty"`
	Moment   time.Time         `json:"moment"`
	Reached  backup.Position   `json:"reached,omitzero"`
	Exact    bool              `json:"exact"`
	Good     bool              `json:"good"`
	Found    []backup.Compared `json:"found"`
	Speed    backup.Speed      `json:"speed"`
	Switched bool              `json:"switched"`
	twoPeople
}

// carryOut restores, compares, and puts in place what is to be. What does not agree with
// what was recorded is put in nobody's place.
func (c *cli) carryOut(ctx context.Context, e *engine.Engine, set engine.Set, want engine.Want, r *restoring, people twoPeople) (err error) {
	p := c.newProgress()
	restored, err := e.Restore(ctx, set, want, p.report)
	p.close()
	if err != nil {
		return err
	}
	keep, closed := r.into != "", false
	end := func() error {
		if closed {
			return nil
		}
		closed = true
		return restored.Close(keep)
	}
	defer func() {
		if failed := end(); failed != nil {
			err = errors.Join(err, failed)
		}
	}()
	doc := restoredDoc{
		Moment: restored.Moment, Reached: restored.Reached, Exact: restored.Exact, Good: restored.Good, Found: restored.Found, Speed: restored.Speed,
		twoPeople: people,
	}
	if keep {
		if doc.Folder, err = filepath.Abs(restored.Dir); err != nil {
			return err
		}
	}
	if r.over && restored.Good {
		if err := c.putInPlace(ctx, e, set, restored, &doc, p); err != nil {
			return err
		}
	}
	if r.serve {
		doc.Address = restored.Instance.Address()
	} else if err := end(); err != nil { // what is said to be restored outlives a power cut
		return err
	}
	if err := c.show(doc, func() { c.restored(set, doc) }); err != nil {
		return err
	}
	if r.serve {
		<-ctx.Done()
	}
	if !restored.Good {
		return findings{}
	}
	return nil
}

// putInPlace puts what was restored in the place of its source. The id is told before
// anything is done under it: whatever ends this, one can go on or go back by it.
func (c *cli) putInPlace(ctx context.Context, e *engine.Engine, set engine.Set, restored *engine.Restored, doc *restoredDoc, p *progress) error {
	doc.ID = restored.ID
	c.warnOnly("backup.restore.begins", "id", doc.ID)
	stage := "prepare"
	err := e.Replace(ctx, set, restored, p.report)
	p.close()
	if err == nil {
		stage = "switch"
		err = e.Switch(ctx, set, doc.ID)
	}
	if err != nil {
		if failed := c.show(doc, func() { c.warn("backup.restore.left-"+stage, "set", set.Folder(), "id", doc.ID) }); failed != nil {
			err = errors.Join(err, failed)
		}
		return err
	}
	doc.Switched = true
	return nil
}

func (c *cli) restored(set engine.Set, doc restoredDoc) {
	id := "backup.restore.good"
	switch {
	case !doc.Good:
		id = "backup.restore.bad"
	case !doc.Exact:
		id = "backup.restore.whole"
	}
	c.say(id, "n", len(doc.Found), "moment", clock(doc.Moment), "took_seconds", doc.Speed.Restore+doc.Speed.Figures)
	t := table{head: c.heads("what", "measure", "wanted", "found")}
	for _, f := range doc.Found {
		if !f.Good {
			t.add(f.Of, c.t("backup.measure."+f.Measure), f.Want, f.Got)
		}
	}
	if len(t.rows) > 0 {
		c.table(t)
	}
	if doc.Folder != "" {
		c.say("backup.restore.folder", "folder", doc.Folder)
	}
	if doc.Address != "" {
		c.say("backup.restore.address", "address", doc.Address)
	}
	if doc.Switched {
		c.say("backup.restore.switched", "set", set.Folder(), "id", doc.ID)
		c.say("backup.restore.people", "by", clean(doc.By), "approved", clean(doc.Approved))
	}
}

// turnRestored does the second step of a restore over the original, takes it back, or
// removes what is no longer needed.
func (c *cli) turnRestored(ctx context.Context, e *engine.Engine, set engine.Set, r *restoring, turn, id string) error {
	if err := c.withDriver(&set, r.backupFlags, e.List(ctx, set)); err != nil {
		return err
	}
	people, err := c.agreed(r, set, id, "backup.restore.confirm-"+turn, "set", set.Folder(), "id", id)
	if err != nil {
		return err
	}
	do := map[string]func(context.Context, engine.Set, string) error{"switch": e.Switch, "undo": e.Undo, "drop": e.Drop}[turn]
	if err := do(ctx, set, id); err != nil {
		return err
	}
	return c.show(struct {
		ID   string `json:"id"`
		Done string `json:"done"`
		twoPeople
	}{id, turn, people}, func() {
		c.say("backup.restore.did-"+turn, "set", set.Folder(), "id", id)
		c.say("backup.restore.people", "by", clean(people.By), "approved", clean(people.Approved))
	})
}

func (c *cli) showCandidates(all []backup.Candidate) error {
	docs := make([]candidateDoc, 0, len(all))
	for i, k := range all {
		doc := candidateDoc{
			Number: i + 1, Target: k.Target, Full: k.Pieces[0].ID, Pieces: len(k.Pieces), Bytes: k.Bytes, Reaches: k.Reaches,
			LossSecs: k.Loss.Seconds(), Takes: k.Takes.Seconds(), RealTime: k.RealTime, State: string(k.State), Reasons: k.Reasons,
		}
		if !k.ProvenAt.IsZero() {
			doc.ProvenAt = &k.ProvenAt
		}
		docs = append(docs, doc)
	}
	return c.show(struct {
		Items []candidateDoc `json:"items"`
	}{docs}, func() { c.candidates(all, 1) })
}

// candidates shows candidates, the first by this number.
func (c *cli) candidates(all []backup.Candidate, number int) {
	t := table{head: c.heads("number", "target", "full", "pieces", "bytes", "reaches", "loss", "takes", "reasons"), right: []int{0, 3, 4, 6, 7}}
	for i, k := range all {
		reasons := make([]string, 0, len(k.Reasons))
		for _, reason := range k.Reasons {
			reasons = append(reasons, c.because(reason))
		}
		takes := ""
		if k.Takes > 0 {
			takes = c.span(k.Takes.Seconds())
		}
		t.add(fmt.Sprint(i+number), k.Target, k.Pieces[0].ID, fmt.Sprint(len(k.Pieces)), c.bytes(k.Bytes), clock(k.Reaches), c.span(k.Loss.Seconds()), takes, strings.Join(reasons, c.t("cli.notice.comma")))
	}
	c.table(t)
}

// because says for people why a candidate is as good as it is; pipes get the stable word.
func (c *cli) because(code string) string {
	if !terminal(c.out) {
		return code
	}
	return c.t("backup.because." + code)
}
