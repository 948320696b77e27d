// Package log looks at what a node's log files say: lines that match a pattern,
// and kinds of lines that were never or seldom seen. The files are followed
// between looks by package logs; a look asks for the figures.
package log

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"holdfast/internal/logs"
	"holdfast/internal/watch/probe"
)

// leastWindow is over how long lines are counted at least.
const leastWindow = time.Minute

// New reads Target (the files, a glob with an absolute path) and Log. Too many
// lines that match the pattern are down, too many of an unusual kind degraded.
func New(spec probe.Spec, tools *probe.Tools) (probe.Probe, error) {
	l := &spec.Log
	if tools.Logs == nil {
		return nil, fmt.Errorf("watch: check %s: log files are not looked at here", spec.ID)
	}
	if _, err := filepath.Match(spec.Target, ""); err != nil || !filepath.IsAbs(spec.Target) {
		return nil, fmt.Errorf("watch: check %s: no absolute path of log files", spec.ID)
	}
	if l.Pattern == nil && l.Unusual == "" {
		return nil, fmt.Errorf("watch: check %s: neither a pattern nor what is unusual", spec.ID)
	}
	l.Window = max(l.Window, leastWindow)
	options := logs.Options{
		ID: spec.ID, Glob: spec.Target, Pattern: l.Pattern, Templates: l.Unusual != "", Learn: l.Learn,
		Encoding: l.Encoding, Begins: l.Begins, Keep: max(l.Window, 2*spec.Every),
	}
	return probe.Make(spec, tools, func(context.Context) probe.Outcome {
		figures, err := tools.Logs.Look(options, l.Window)
		switch {
		case errors.Is(err, logs.ErrFolder):
			return probe.Unknown("watch.log-refused", "file", spec.Target)
		case err != nil:
			return probe.Unknown("watch.log-unreadable", "file", spec.Target)
		}
		o := judge(spec, figures, time.Now())
		o.Values = values(figures, l.Window)
		return o
	}), nil
}

func judge(spec probe.Spec, f logs.Figures, now time.Time) probe.Outcome {
	l := &spec.Log
	if l.Pattern != nil && tooMany(f.Matched, l) {
		return probe.Down("watch.log-pattern", "count", f.Matched, "window", l.Window.String())
	}
	switch {
	case f.Running.IsZero():
		return probe.Unknown("watch.log-begins")
	case errors.Is(f.Trouble, logs.ErrFolder): // a link leads out of the folders
		return probe.Unknown("watch.log-refused", "file", spec.Target)
	case f.Files == 0:
		return probe.Unknown("watch.log-none", "file", spec.Target)
	case f.Trouble != nil:
		return probe.Unknown("watch.log-unreadable", "file", spec.Target)
	case l.Unusual == probe.Unseen && tooMany(f.New, l):
		return probe.Degraded("watch.log-new", "count", f.New, "window", l.Window.String())
	case l.Unusual == probe.Seldom && tooMany(f.Rare, l):
		return probe.Degraded("watch.log-rare", "count", f.Rare, "window", l.Window.String())
	case f.Learning && l.Pattern == nil:
		return probe.Unknown("watch.log-learns")
	}
	if f.LastLine.IsZero() { // nothing is up for want of bad news
		return probe.Unknown("watch.log-no-line", "file", spec.Target)
	}
	last := f.LastLine
	if last.Before(f.Running) {
		last = f.Running
	}
	if since := now.Sub(last); l.Quiet > 0 && since > l.Quiet {
		return probe.Unknown("watch.log-quiet", "since", since.Round(time.Second).String())
	}
	return probe.Outcome{}
}

func tooMany(count int64, l *probe.Log) bool {
	return count > 0 && float64(count)/l.Window.Seconds() > l.Rate
}

// values are what measures are made of: counts since the files were followed
// first, and those of the window for each second.
func values(f logs.Figures, window time.Duration) map[string]float64 {
	return map[string]float64{
		"lines_total":         float64(f.Counts.Lines),
		"matched_total":       float64(f.Counts.Matched),
		"templates_new_total": float64(f.Counts.New),
		"rare_total":          float64(f.Counts.Rare),
		"matched_rate":        float64(f.Matched) / window.Seconds(),
		"new_rate":            float64(f.New) / window.Seconds(),
		"rare_rate":           float64(f.Rare) / window.Seconds(),
	}
}
