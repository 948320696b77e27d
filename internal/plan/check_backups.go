package plan

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"holdfast/internal/calendar"
)

var (
	typeOfCapture = reflect.TypeFor[Capture]()
	// captures are the fields of kinds of data, as particular; the first of them must
	// be there, where the kind has any use for it.
	captures = map[string][]string{
		"postgres":   {"dsn", "tables", "follow", "queries"},
		"mysql":      {"dsn", "tables", "follow", "queries"},
		"sqlite":     {"path", "queries"},
		"folder":     {"path"},
		"query":      {"dsn", "queries"},
		"node":       {"path"},
		"pgbackrest": {"stanza", "dsn", "follow", "queries"},
	}
	ofCapture   = []string{"id", "kind", "full", "zone", "jitter", "targets"}
	mustCapture = map[string][]string{
		"postgres": {"dsn"}, "mysql": {"dsn"}, "sqlite": {"path"}, "folder": {"path"}, "query": {"dsn", "queries"}, "pgbackrest": {"dsn", "stanza"},
	}
)

// checkBackups holds how sets of data are captured to what the plan promises of them.
func (c *checker) checkBackups() {
	for i := range c.plan.Tech.Backups {
		set, where := &c.plan.Tech.Backups[i], fmt.Sprintf("backups[%d]", i)
		for _, field := range mustCapture[set.Kind] {
			_, there := c.tech.places[where+"."+field]
			c.needs(where, !there, "plan.backup-need", set.Kind, field)
		}
		if known := captures[set.Kind]; known != nil {
			for j := range typeOfCapture.NumField() {
				field := typeOfCapture.Field(j).Tag.Get("yaml")
				if slices.Contains(known, field) || slices.Contains(ofCapture, field) {
					continue
				}
				if id := "plan.backup-field"; field != "follow" {
					c.useless(where, field, id, set.Kind)
				} else if set.Follow != nil && *set.Follow {
					c.useless(where, field, "plan.backup-follow", set.Kind)
				}
			}
		}
		c.secret(set.DSN, where+".dsn")
		for j := range c.plan.Backups {
			if c.plan.Backups[j].ID == set.ID && set.ID != "" {
				c.checkCapture(set, &c.plan.Backups[j], where, fmt.Sprintf("backups[%d].every", j))
			}
		}
	}
}

func (c *checker) checkCapture(set *Capture, b *Backup, where, every string) {
	if !b.Encrypt {
		c.tech.Error(place(c.tech.places, where+".id"), "plan.backup-plain", "id", b.ID)
	}
	schedule, fault := calendar.ParseCron(set.Full)
	if fault != nil || set.Follows(b) || set.Kind == "" || c.business.ReportedOn(c.at(every).Line) {
		return
	}
	at := place(c.tech.places, where+".full")
	switch gap := schedule.Gap(); {
	case set.Increments() && b.Every < time.Second:
		c.tech.Error(at, "plan.every-short", "id", b.ID, "kind", set.Kind)
	case !set.Increments() && gap > b.Every:
		c.tech.Error(at, "plan.every-full", "id", b.ID, "every", brief(b.Every), "gap", brief(gap))
	}
}

var braced = regexp.MustCompile(`\{[^{}]*\}`)

// checkUpgrades holds how upgrades are carried out to what undoing them needs.
func (c *checker) checkUpgrades() {
	for i := range c.plan.Tech.Upgrades {
		u, where := &c.plan.Tech.Upgrades[i], fmt.Sprintf("upgrades[%d]", i)
		c.call(u.Version, where+".version")
		c.call(u.Code.Stop, where+".code.stop")
		c.call(u.Code.Start, where+".code.start")
		if known := c.call(&u.Code.Put, where+".code.put"); known && u.Code.Put.Command != "" && !u.Code.Put.told() {
			c.tech.Error(place(c.tech.places, where+".code.put"), "plan.put-version")
		}
		if m := u.Migration; m != nil {
			c.call(&m.Up, where+".migration.up", copyField)
			c.call(m.Down, where+".migration.down", copyField)
			c.call(m.Status, where+".migration.status", copyField)
		}
		if down := u.Migration != nil && u.Migration.Down != nil; !down && (u.Undo.Data == "down" || u.Undo.Data == "faster") {
			c.tech.Error(place(c.tech.places, where+".undo.data"), "plan.undo-down", "value", u.Undo.Data)
		}
		if u.Data != nil {
			c.secret(&u.Data.DSN, where+".data.dsn")
		}
		for j := range u.Watch {
			rule := &u.Watch[j]
			choice(c.tech, fmt.Sprintf("%s.watch[%d]", where, j), "plan.watch-of", map[string]bool{"over": rule.Over != nil, "under": rule.Under != nil, "times": rule.Times != nil})
		}
		c.checkNeeds(u, where+".needs")
		c.checkGate(u, where)
	}
}

func (c *checker) checkNeeds(u *Rollout, where string) {
	if u.Needs == nil {
		return
	}
	for i := range u.Needs.Disk {
		space, at := &u.Needs.Disk[i], fmt.Sprintf("%s.disk[%d]", where, i)
		choice(c.tech, at, "plan.space-of", map[string]bool{"free": space.Free > 0, "of_data": space.OfData > 0})
		if space.OfData > 0 && u.Data == nil {
			c.tech.Error(place(c.tech.places, at+".of_data"), "plan.needs-data", "field", "of_data")
		}
	}
	for i := range u.Needs.Programs {
		c.call(&u.Needs.Programs[i].Shown, fmt.Sprintf("%s.programs[%d].shown_by", where, i))
	}
	if u.Needs.Database != nil && u.Data == nil {
		c.tech.Error(place(c.tech.places, where+".database"), "plan.needs-data", "field", "database")
	}
}

// checkGate reports sets of data that have to be proven before an upgrade, and that
// nothing captures.
func (c *checker) checkGate(u *Rollout, where string) {
	for i := range c.plan.Upgrades {
		up := &c.plan.Upgrades[i]
		if up.ID != u.ID || u.ID == "" {
			continue
		}
		for _, id := range up.Backups {
			if id != "" && c.entries["backups"].has(id) && c.plan.Captured(id) == nil {
				c.tech.Error(place(c.tech.places, where+".id"), "plan.upgrade-unbacked", "id", u.ID, "set", id)
			}
		}
		c.checkUpgradeSteps(u, up.Runbook)
	}
}

// checkUpgradeSteps reports steps of an upgrade's runbook that set routes which the
// upgrade itself holds and releases: they would fail, or be undone, in its midst.
func (c *checker) checkUpgradeSteps(u *Rollout, runbook string) {
	for i := range c.plan.Runbooks {
		if c.plan.Runbooks[i].ID != runbook {
			continue
		}
		for j := range c.plan.Runbooks[i].Steps {
			step := &c.plan.Runbooks[i].Steps[j]
			route := step.Told()["route"]
			held := slices.ContainsFunc(u.Intake, func(in Intake) bool { return in.Route == route })
			if held && strings.HasPrefix(step.Do, "relay.") {
				c.business.Error(c.at(fmt.Sprintf("runbooks[%d].steps[%d].do", i, j)), "plan.upgrade-step", "do", step.Do, "route", route, "id", u.ID)
			}
		}
	}
}

// call reports words in braces that nothing fills, and returns whether there are none.
func (c *checker) call(call *Call, where string, more ...string) bool {
	known := true
	if call == nil {
		return known
	}
	for name, value := range call.With {
		for _, field := range braced.FindAllString(value, -1) {
			if field != versionField && !slices.Contains(more, field) {
				c.tech.Error(place(c.tech.places, where+".with."+name), "plan.call-field", "value", field)
				known = false
			}
		}
	}
	return known
}

const (
	// versionField stands for the version that is to run.
	versionField = "{version}"
	// copyField stands for the copy of the data on which a migration is tried; of the data
	// themselves, for nothing.
	copyField = "{copy}"
)

// Rehearsed reports whether a migration can be tried on a copy: its commands are told
// where that is.
func (m *Migration) Rehearsed() bool {
	return m.Up.fills(copyField) && m.Status != nil && m.Status.fills(copyField)
}

// told says whether a call is told the version.
func (c *Call) told() bool { return c.fills(versionField) }

func (c *Call) fills(field string) bool {
	for _, value := range c.With {
		if slices.Contains(braced.FindAllString(value, -1), field) {
			return true
		}
	}
	return false
}
