package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/catalogue"
	"holdfast/internal/config"
	"holdfast/internal/continuity"
	"holdfast/internal/durable"
	"holdfast/internal/yamldoc"
)

const lastGoodName = "last-good.yaml"

// loaded is a configuration that can be used.
type loaded struct {
	relay    *config.Relay
	src      []byte
	config   api.Config
	fallback bool // it is the last good one
}

// loadFirst reads the configuration, or the last good one where it is bad. A
// file that is not there is no bad one: another may be meant, and the data
// folder beside it is that one's or nobody's.
func (a *App) loadFirst() (loaded, error) {
	file := a.o.ConfigFile
	src, err := config.Read(file)
	var problems []yamldoc.Problem
	if err == nil {
		var r *config.Relay
		if r, problems, err = config.Parse(file, src, filepath.Dir(file)); err == nil {
			a.logProblems(problems)
			return loaded{relay: r, src: src, config: a.describe(src, problems)}, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return loaded{}, err
	}
	last := filepath.Join(config.DataDir(file), lastGoodName)
	src, lastErr := config.Read(last)
	if lastErr != nil {
		return loaded{}, err
	}
	r, _, lastErr := config.Parse(last, src, filepath.Dir(file))
	if lastErr != nil {
		return loaded{}, err
	}
	a.logProblems(problems)
	a.log.Error("THE CONFIGURATION IS BAD; the last good one is used", "file", file, "used", last, "error", err)
	c := a.describe(src, problems)
	c.LastGood, c.Failures = true, 1
	return loaded{relay: r, src: src, config: c, fallback: true}, nil
}

func (a *App) describe(src []byte, problems []yamldoc.Problem) api.Config {
	sum := sha256.Sum256(src)
	return api.Config{File: a.o.ConfigFile, Loaded: time.Now(), Digest: hex.EncodeToString(sum[:6]), Problems: told(problems)}
}

func (a *App) logProblems(problems []yamldoc.Problem) {
	for _, p := range problems {
		level := a.log.Error
		if p.Severity == yamldoc.Warning {
			level = a.log.Warn
		}
		level("configuration", "problem", p.Text(catalogue.En))
	}
}

func told(problems []yamldoc.Problem) []api.Problem {
	out := make([]api.Problem, 0, len(problems))
	for _, p := range problems {
		out = append(out, api.Problem{
			File: p.File, Line: p.Line, Column: p.Column, Warning: p.Severity == yamldoc.Warning, ID: p.ID, Args: p.Args,
			Text: p.What(catalogue.En), Hint: p.Hint(catalogue.En),
		})
	}
	return out
}

// keepLastGood puts a configuration aside that is in use, for a start at which
// the file has become bad.
func (a *App) keepLastGood(src []byte) {
	if err := durable.Replace(filepath.Join(a.home.DataDir, lastGoodName), src); err != nil {
		a.log.Error("the configuration in use can't be put aside for a later start", "error", err)
	}
}

// Reload reads the configuration again and puts it into use, or leaves the one
// in use as it is and says why.
func (a *App) Reload(context.Context) (api.ReloadResult, error) {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	if err := a.Ready(); err != nil {
		return api.ReloadResult{}, err
	}
	file := a.o.ConfigFile
	src, err := config.Read(file)
	if err != nil {
		return a.refused([]yamldoc.Problem{fileProblem(file, "api.reload.unreadable", "cause", err.Error())}), nil
	}
	next, problems, err := config.Parse(file, src, filepath.Dir(file))
	if err == nil {
		problems = append(a.obstacles(next), problems...)
	}
	if next == nil || yamldoc.Failed(problems) {
		return a.refused(problems), nil
	}
	if err := a.apply(next); err != nil {
		return a.refused([]yamldoc.Problem{fileProblem(file, "api.reload.failed", "cause", err.Error())}), nil
	}
	a.keepLastGood(src)
	a.logProblems(problems)
	a.mu.Lock()
	c := a.describe(src, problems)
	c.Reloads, c.Failures = a.config.Reloads+1, a.config.Failures
	a.config = c
	a.mu.Unlock()
	a.log.Info("configuration reloaded", "file", file, "digest", c.Digest, "routes", len(next.Routes))
	return api.ReloadResult{Applied: true, Config: c, Problems: c.Problems}, nil
}

func (a *App) refused(problems []yamldoc.Problem) api.ReloadResult {
	a.logProblems(problems)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.config.Failures++
	a.config.Problems = told(problems)
	a.config.Refused = true
	a.log.Error("configuration not reloaded; the one before it goes on running", "file", a.o.ConfigFile, "problems", len(problems))
	return api.ReloadResult{Config: a.config, Problems: a.config.Problems}
}

// obstacles are what speaks against putting a valid configuration into use in
// a running relay.
func (a *App) obstacles(next *config.Relay) []yamldoc.Problem {
	var out []yamldoc.Problem
	for _, s := range []struct {
		setting   string
		unchanged bool
	}{
		{"listen", reflect.DeepEqual(next.Listeners, a.home.Listeners)},
		{"admin.listen", next.AdminListen == a.home.AdminListen},
		{"admin.token.file", next.TokenFile == a.home.TokenFile},
		{"data", next.DataDir == a.home.DataDir},
		{"master_key.file", next.MasterKeyFile == a.home.MasterKeyFile},
		{"journal.segment", next.SegmentBytes == a.home.SegmentBytes},
		{"journal.size", next.Limits.Bytes == a.home.Limits.Bytes},
	} {
		if !s.unchanged {
			out = append(out, fileProblem(next.File, "api.reload.restart", "setting", s.setting))
		}
	}
	if a.ledger == nil {
		return out
	}
	var before []continuity.Route
	for _, l := range a.lanes.Load().byID {
		before = append(before, l.route)
	}
	return append(out, a.overtaking(before, next)...)
}

// fileProblem is a problem of the whole file.
func fileProblem(file, id string, pairs ...any) yamldoc.Problem {
	args := catalogue.Args{}
	for i := 0; i+1 < len(pairs); i += 2 {
		args[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return yamldoc.Problem{File: file, Line: 1, Column: 1, Length: 1, Severity: yamldoc.Error, ID: id, Args: args}
}
