package warning

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// RuleID is the id of the warning of a plan's rule.
func RuleID(service, rule string) string { return service + "." + rule }

// SLOID is the id of the warning of a plan's promise.
func SLOID(service, slo string) string { return service + ".slo." + slo }

// StaffID is the id of the warning of what a service's staff report.
func StaffID(service string) string { return service + ".staff.reports" }

// signalID is the id of a signal and of its warning; nobody's service is "_".
func signalID(service, source, name string) string {
	if service == "" {
		service = "_"
	}
	return service + "." + source + "." + name
}

// sourceOf is what kind of source an id of a memory belongs to. Rules of
// thresholds and of checks look alike; each source of theirs is whole only with
// the other.
func sourceOf(id string) string {
	parts := strings.SplitN(id, ".", 3)
	if len(parts) == 3 {
		return parts[1]
	}
	return continuity.FromMeasure
}

// lookSignals sees what other systems say: what they took back is missing.
func (e *Engine) lookSignals() Sight {
	seen := Sight{Of: []string{continuity.FromAlert, continuity.FromHook, continuity.FromNotice, continuity.FromChannel, continuity.FromNotify, continuity.FromEngine}}
	for _, id := range slices.Sorted(maps.Keys(e.signals)) {
		s := e.signals[id]
		seen.All = append(seen.All, Sighting{
			ID: id, Service: s.Service, Source: s.Source, Rule: s.Rule, Text: s.Text, Known: true, Level: s.Level,
			Since: s.At, Partial: s.Partial, Evidence: s.Evidence,
		})
	}
	return seen
}

// ReportRule says how many reports make a warning.
type ReportRule struct {
	Service string
	Text    continuity.Text
	Count   int
	Within  time.Duration
	Each    string        // service, component, office: what they are counted for
	Twice   bool          // several reports of one person count several times
	Quiet   time.Duration // without a report, after which the warning ends
	Level   continuity.Level
}

// mostHorizon is how far back reports are looked at.
const mostHorizon = 24 * time.Hour

func (e *Engine) lookReports(rules []ReportRule, now time.Time) (seen []Sighting) {
	e.reports = slices.DeleteFunc(e.reports, func(r continuity.Report) bool { return now.Sub(r.At) > mostHorizon })
	by := map[string][]continuity.Report{}
	for _, r := range e.reports {
		by[r.Service] = append(by[r.Service], r)
	}
	for i := range rules {
		rule := &rules[i]
		groups := map[string][]continuity.Report{}
		for _, r := range by[rule.Service] {
			name := rule.group(&r)
			groups[name] = append(groups[name], r)
		}
		for _, name := range slices.Sorted(maps.Keys(groups)) {
			seen = append(seen, rule.look(name, groups[name], now))
		}
	}
	return seen
}

// group is what a report counts for; empty: the service.
func (r *ReportRule) group(one *continuity.Report) string {
	switch {
	case r.Each == "component":
		return one.Component
	case r.Each == "office" && one.Location != "":
		return one.Location
	case r.Each == "office":
		return one.Department
	}
	return ""
}

func (r *ReportRule) look(group string, all []continuity.Report, now time.Time) Sighting {
	s := Sighting{ID: StaffID(r.Service), Service: r.Service, Source: continuity.FromStaff, Rule: "reports", Text: r.Text, Level: r.Level}
	if group != "" {
		sum := sha256.Sum256([]byte(r.Each + "\x00" + group))
		s.ID, s.Rule = signalID(r.Service, continuity.FromStaff, r.Each+"-"+hex.EncodeToString(sum[:5])), group
	}
	var within []continuity.Report
	var last time.Time
	for _, one := range all {
		if now.Sub(one.At) <= r.Within {
			within = append(within, one)
		}
		if one.At.After(last) {
			last = one.At
		}
	}
	s.Scope = ScopeOf(within)
	count := len(reporters(within))
	if r.Twice {
		count = len(within)
	}
	if count >= r.Count {
		s.Known, s.Since = true, within[0].At
		s.Partial = !slices.ContainsFunc(within, func(one continuity.Report) bool { return one.What == WhatDown })
		if s.Partial {
			s.Sign = within[0].What
		}
		for _, one := range within {
			s.Evidence = append(s.Evidence, continuity.Evidence{Kind: "report", ID: one.ID, Text: one.What, At: one.At})
		}
		return s
	}
	// Silence is no proof, but neither can a warning stand on it for good.
	s.Level, s.Known = continuity.LevelNone, now.Sub(last) >= min(r.Quiet, mostHorizon)
	return s
}

// WhatDown is a report of something that does not work at all; other reports
// name a kind of partial failure.
const WhatDown = "down"

func reporters(all []continuity.Report) map[string]bool {
	who := map[string]bool{}
	for _, r := range all {
		who[r.By] = true
	}
	return who
}

// ScopeOf says how many a trouble hits, as far as reports tell.
func ScopeOf(all []continuity.Report) string {
	switch len(reporters(all)) {
	case 0:
		return ""
	case 1:
		return continuity.ScopeOne
	}
	same := func(of func(*continuity.Report) string) bool {
		for i := range all {
			if of(&all[i]) == "" || of(&all[i]) != of(&all[0]) {
				return false
			}
		}
		return true
	}
	if same(func(r *continuity.Report) string { return r.Department }) || same(func(r *continuity.Report) string { return r.Location }) {
		return continuity.ScopeOffice
	}
	return continuity.ScopeEveryone
}
