package main

import (
	"context"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/controlapi"
)

var wholeDays = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)d`)

// length reads a length of time, which may have days: 90m, 5d, 1d12h.
func length(text string) (time.Duration, error) {
	text, back := strings.CutPrefix(strings.TrimSpace(text), "-")
	var long time.Duration
	if days := wholeDays.FindStringSubmatch(text); days != nil {
		n, err := strconv.ParseFloat(days[1], 64)
		if err != nil || n > 36500 {
			return 0, invalid("cli.invalid.length", "value", text)
		}
		long, text = time.Duration(n*24*float64(time.Hour)), text[len(days[0]):]
	}
	if text != "" || long == 0 {
		rest, err := time.ParseDuration(text)
		if err != nil || rest < 0 {
			return 0, invalid("cli.invalid.length", "value", text)
		}
		long += rest
	}
	if back {
		long = -long
	}
	return long, nil
}

// clockOf is the time by which the schedules of an object go: what the clock of its
// exercise shows, or the real time.
func clockOf(ctx context.Context, node *controlapi.Client, path string) func() (time.Time, error) {
	return func() (time.Time, error) {
		of, _, err := controlapi.Get[struct {
			Exercise string `json:"exercise"`
		}](ctx, node, path, nil)
		if err != nil || of.Exercise == "" {
			return time.Now(), err
		}
		x, _, err := controlapi.Get[controlapi.ExerciseShown](ctx, node, exercisePath(of.Exercise), nil)
		return x.Now, err
	}
}

func incidentClock(ctx context.Context, node *controlapi.Client, id string) func() (time.Time, error) {
	return clockOf(ctx, node, "/incidents/"+url.PathEscape(id))
}

// inOrAt reads a time that lies ahead: a length from now, or a moment.
func inOrAt(text string, now func() (time.Time, error)) (time.Time, error) {
	long, err := length(text)
	if err != nil {
		at, err := laterMoment(text)
		if err != nil {
			return at, invalid("cli.invalid.ahead", "value", text)
		}
		return at, nil
	}
	if long <= 0 {
		return time.Time{}, invalid("cli.invalid.not-ahead", "value", text)
	}
	from, err := now()
	return from.Add(long).UTC(), err
}
