package app

import (
	"path/filepath"
	"slices"

	"holdfast/internal/catalogue"
	"holdfast/internal/config"
	"holdfast/internal/continuity"
	"holdfast/internal/yamldoc"
)

// The problems that speak against a configuration only while records are
// pending.
const (
	idPending  = "api.reload.pending"
	idOvertake = "api.reload.overtake"
	idMoved    = "api.reload.moved"
)

// overtaking are the settings that a configuration changes although records are
// pending that were kept under the old ones. Without their route they would
// never be sent, while another route may take what comes behind them; under
// another key, requests would
// no longer queue behind them; under another identity, repeats of them would be
// kept again.
func (a *App) overtaking(before []continuity.Route, next *config.Relay) []yamldoc.Problem {
	var out []yamldoc.Problem
	for i := range before {
		old := &before[i]
		n := slices.IndexFunc(next.Routes, func(r continuity.Route) bool { return r.ID == old.ID })
		pending := a.ledger.Counters(old.ID).Pending()
		if n >= 0 {
			out = append(out, a.moving(old, &next.Routes[n], next.File)...)
		}
		if pending == 0 {
			continue
		}
		if n < 0 {
			out = append(out, fileProblem(next.File, idPending, "route", old.ID, "count", pending))
			continue
		}
		for _, setting := range recognition(old, &next.Routes[n]) {
			out = append(out, fileProblem(next.File, idOvertake, "route", old.ID, "setting", setting, "count", pending))
		}
	}
	return out
}

// moving are the upstreams that a configuration changes although records may have
// been processed there already: another one would not know of it (rule 4.7). A
// configuration may say that it is the same system at another address.
func (a *App) moving(old, next *continuity.Route, file string) []yamldoc.Problem {
	first := append([]string{next.Upstream}, next.Moved...)
	var before, second []string
	if old.Standby != nil {
		before = append([]string{old.Standby.Upstream}, old.Standby.Moved...)
	}
	if next.Standby != nil {
		second = append([]string{next.Standby.Upstream}, next.Standby.Moved...)
	}
	var out []yamldoc.Problem
	for _, s := range []struct {
		setting string
		before  []string
		now     []string
	}{{"upstream", append([]string{old.Upstream}, old.Moved...), first}, {"standby.upstream", before, second}} {
		for _, address := range s.before {
			if slices.Contains(s.now, address) {
				continue
			}
			if count := a.ledger.Doubted(old.ID); count > 0 {
				out = append(out, fileProblem(file, idMoved, "route", old.ID, "setting", s.setting, "upstream", address, "count", count))
			}
		}
	}
	return out
}

// recognition names the settings by which kept records and what comes behind
// them are recognised, as far as they differ.
func recognition(old, next *continuity.Route) []string {
	var out []string
	for _, s := range []struct {
		setting string
		differs bool
	}{
		{"key", old.Key != next.Key},
		{"caller", old.Caller != next.Caller},
		{"idempotency.fields", !slices.Equal(old.Identity.Fields, next.Identity.Fields)},
		{"idempotency.compare", old.Identity.Loose != next.Identity.Loose},
		{"hold.methods", lacks(next.Hold.Methods, old.Hold.Methods)},
		{"match.host", narrower(next.Match.Hosts, old.Match.Hosts)},
		{"match.path", narrower(next.Match.Paths, old.Match.Paths)},
		{"match.methods", narrower(next.Match.Methods, old.Match.Methods)},
	} {
		if s.differs {
			out = append(out, s.setting)
		}
	}
	return out
}

func lacks(list, of []string) bool {
	return slices.ContainsFunc(of, func(s string) bool { return !slices.Contains(list, s) })
}

// narrower reports whether one list of a match takes less than another; an
// empty one takes everything.
func narrower(list, than []string) bool {
	return len(list) > 0 && (len(than) == 0 || lacks(list, than))
}

// heedPending goes on with the last good routes where a start brings settings
// that pending records forbid.
func (a *App) heedPending(l *loaded) error {
	if a.ledger == nil || l.fallback {
		return nil
	}
	last := filepath.Join(a.home.DataDir, lastGoodName)
	src, err := config.Read(last)
	if err != nil {
		return nil //nolint:nilerr // the first start
	}
	before, _, err := config.Parse(last, src, filepath.Dir(a.o.ConfigFile))
	if err != nil {
		a.log.Warn("the last good configuration can't be compared with the new one", "file", last, "error", err)
		return nil
	}
	problems := a.overtaking(before.Routes, a.home)
	if len(problems) == 0 {
		return nil
	}
	a.home.Routes, l.fallback = before.Routes, true
	a.config.LastGood, a.config.Failures = true, 1
	a.config.Problems = append(told(problems), a.config.Problems...)
	a.logProblems(problems)
	a.log.Error("THE CONFIGURATION DOES NOT FIT THE PENDING RECORDS; the last good routes are used",
		"file", a.o.ConfigFile, "used", last, "problem", problems[0].Text(catalogue.En))
	return nil
}
