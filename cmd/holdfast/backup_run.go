package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"holdfast/internal/backup"
	"holdfast/internal/backup/engine"
	"holdfast/internal/problem"
)

type targetDoc struct {
	Target string `json:"target"`
	OK     bool   `json:"ok"`
	Error  string `json:"error,omitempty"`
}

type capturedDoc struct {
	Piece    backup.Manifest `json:"piece"`
	Path     string          `json:"path"`
	Targets  []targetDoc     `json:"targets"`
	TookSecs float64         `json:"took_seconds"`
}

func (c *cli) backupRunCommand() *cobra.Command {
	cmd := c.command("run", "backup.run", exactly(0), nil)
	b := c.addBackup(cmd, "to")
	c.addSource(cmd, b)
	var full, delta bool
	f := cmd.Flags()
	f.BoolVar(&full, "full", false, c.t("cli.flag.backup-full"))
	f.BoolVar(&delta, "delta", false, c.t("cli.flag.backup-delta"))
	f.BoolVar(&b.source.follow, "follow", false, c.t("cli.flag.backup-follow"))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		if b.service == "" || b.set == "" || b.source.kind == "" || full && delta {
			return invalid("backup.invalid.run")
		}
		if err := c.hasState(&b.source); err != nil {
			return err
		}
		e, err := c.openBackups(ctx, b)
		if err != nil {
			return err
		}
		set, err := c.oneSet(ctx, e, b)
		if err != nil {
			return err
		}
		if b.source.spool == "" {
			b.source.spool = c.defaultSpool(set)
		}
		if b.source.path != "" {
			if b.source.path, err = filepath.Abs(b.source.path); err != nil {
				return err
			}
		}
		if err := c.withDriver(&set, b, nil); err != nil {
			return err
		}
		kind := ""
		switch {
		case full:
			kind = backup.TypeFull
		case delta:
			kind = backup.TypeDelta
		}
		if b.source.follow {
			return c.follow(ctx, e, set, kind)
		}
		return c.capture(ctx, e, set, kind)
	}
	return cmd
}

// capture makes one piece. That a target was missed is a finding: the others have it.
func (c *cli) capture(ctx context.Context, e *engine.Engine, set engine.Set, kind string) error {
	p := c.newProgress()
	made, err := e.Capture(ctx, set, kind, p.report)
	p.close()
	if err != nil {
		return err
	}
	doc := capturedDoc{Piece: made.Manifest, Path: made.Manifest.Path(), TookSecs: made.Took.Seconds()}
	missed := false
	for _, o := range made.Targets {
		t := targetDoc{Target: o.Target, OK: o.Err == nil, Error: c.wrong(o.Err)}
		missed = missed || o.Err != nil
		doc.Targets = append(doc.Targets, t)
	}
	err = c.show(doc, func() {
		c.warnOnly("backup.run.done", "piece", doc.Piece.ID, "type", c.t("backup.type."+doc.Piece.Type), "name", doc.Path,
			"bytes", humanize.IBytes(uint64(max(doc.Piece.Bytes, 0))), "took_seconds", doc.TookSecs) // a sentence needs the unit in a pipe too
		c.targets(doc.Targets)
	})
	if err == nil && missed {
		err = findings{}
	}
	return err
}

func (c *cli) targets(all []targetDoc) {
	t := table{head: c.heads("target", "state", "reason")}
	for _, o := range all {
		word := c.t("backup.run.there")
		if !o.OK {
			word = c.t("backup.run.missed")
		}
		t.add(o.Target, word, o.Error)
	}
	c.table(t)
}

// wrong is an error in the words of whoever reads it.
func (c *cli) wrong(err error) string {
	if err == nil {
		return ""
	}
	return problem.Of(err, c.lang).Title
}

// follow publishes changes until it is ended, after a full piece where there is none.
func (c *cli) follow(ctx context.Context, e *engine.Engine, set engine.Set, kind string) error {
	found := false
	for _, l := range e.List(ctx, set) {
		found = found || len(l.Chains) > 0
	}
	if !found || kind == backup.TypeFull {
		if err := c.capture(ctx, e, set, backup.TypeFull); err != nil && !errors.As(err, new(findings)) {
			return err
		}
	}
	fulls := make(chan struct{}, 1)
	done := make(chan error, 1)
	go func() { // a full piece behind which the log goes on
		select {
		case <-ctx.Done():
			done <- nil
		case <-fulls:
			done <- c.capture(ctx, e, set, backup.TypeFull)
		}
	}()
	var said time.Time
	var unsaid *engine.Followed // what is newer than the last line
	err := e.Follow(ctx, set, func(f engine.Followed) {
		if f.NeedsFull {
			c.warnOnly("backup.follow.needs-full", "set", set.ID)
			fulls <- struct{}{}
			return
		}
		if now := time.Now(); now.Sub(said) >= plainEvery || c.json {
			said, unsaid = now, nil
			c.followed(f)
		} else {
			unsaid = &f
		}
	})
	if unsaid != nil {
		c.followed(*unsaid)
	}
	if err == nil {
		return <-done
	}
	return err
}

type followedDoc struct {
	To      backup.Position `json:"to"`
	Newest  time.Time       `json:"newest"`
	At      time.Time       `json:"at"`
	Targets []targetDoc     `json:"targets"`
}

func (c *cli) followed(f engine.Followed) {
	doc := followedDoc{To: f.To, Newest: f.Newest, At: f.At}
	for _, o := range f.Targets {
		doc.Targets = append(doc.Targets, targetDoc{o.Target, o.Err == nil, c.wrong(o.Err)})
	}
	_ = c.show(doc, func() { // whoever follows goes on without whoever reads
		for _, t := range doc.Targets {
			if t.OK {
				c.say("backup.follow.line", "to", f.To.At, "lag_seconds", f.At.Sub(f.Newest).Seconds(), "target", t.Target)
			} else {
				c.warn("backup.follow.away", "target", t.Target, "reason", t.Error)
			}
		}
	})
}
