package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"

	"holdfast/internal/backup"
)

// plainEvery is how often a line is written where there is no terminal.
const plainEvery = 10 * time.Second

// progress shows how far something got: a bar with rate and remaining time on a terminal,
// a line now and then anywhere else, nothing where a program reads.
type progress struct {
	c *cli

	mu    sync.Mutex
	phase string
	bar   *progressbar.ProgressBar
	began time.Time
	said  time.Time
}

func (c *cli) newProgress() *progress { return &progress{c: c} }

func (p *progress) report(now backup.Progress) {
	if p.c.json {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Phase != p.phase {
		p.end()
		p.phase, p.began, p.said = now.Phase, time.Now(), time.Now()
		if terminal(p.c.err) {
			p.bar = p.begin(now)
		}
	}
	switch {
	case p.bar != nil:
		if now.Total > 0 && now.Total != p.bar.GetMax64() {
			p.bar.ChangeMax64(now.Total)
		}
		_ = p.bar.Set64(now.Done) // a bar that can't be drawn hinders nothing
	case time.Since(p.said) >= plainEvery:
		p.said = time.Now()
		fmt.Fprintln(p.c.err, p.line(now))
	}
}

func (p *progress) begin(now backup.Progress) *progressbar.ProgressBar {
	total := now.Total
	if total <= 0 {
		total = -1
	}
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(p.c.err), progressbar.OptionSetDescription(p.words(now.Phase)),
		progressbar.OptionShowBytes(true), progressbar.OptionUseIECUnits(true), progressbar.OptionShowTotalBytes(true),
		progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish())
}

// line is what a bar shows, in words.
func (p *progress) line(now backup.Progress) string {
	took := time.Since(p.began).Seconds()
	rate := float64(now.Done) / max(took, 0.001)
	pairs := []any{"what", p.words(now.Phase), "done", humanize.IBytes(uint64(max(now.Done, 0))), "rate", humanize.IBytes(uint64(rate))}
	if now.Total <= now.Done || rate < 1 {
		return p.c.t("backup.progress.open", pairs...)
	}
	left := time.Duration(float64(now.Total-now.Done) / rate * float64(time.Second))
	return p.c.t("backup.progress.line", append(pairs, "total", humanize.IBytes(uint64(now.Total)), "left_seconds", left.Seconds())...)
}

func (p *progress) words(phase string) string { return p.c.t("backup.phase." + phase) }

func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
		p.bar = nil
	}
}

// close ends the last bar, before anything else is printed.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end()
	p.phase = ""
}
