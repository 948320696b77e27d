package plan

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

func (c *checker) checkKeeping() {
	if m := c.plan.Maintenance; m != nil {
		for i := 1; i < len(m.Notices); i++ {
			if m.Notices[i] >= m.Notices[i-1] && m.Notices[i] > 0 {
				c.error(fmt.Sprintf("maintenance.notices[%d]", i), "plan.notice-order", "value", brief(m.Notices[i]), "before", brief(m.Notices[i-1]))
			}
		}
		for i, share := range m.Batches {
			if share > 0 && (i > 0 && share <= m.Batches[i-1] || i == len(m.Batches)-1 && share != 1) {
				c.error(fmt.Sprintf("maintenance.batches[%d]", i), "plan.batches")
			}
		}
		c.checkWindows(m)
	}
	c.checkRPO()
	if comp := c.plan.Compensation; comp != nil {
		for i, g := range comp.Rules {
			where := fmt.Sprintf("compensation.rules[%d]", i)
			if c.unread(where+".value", g.Value.Currency == "") || c.unread(where+".points", g.Points == 0) {
				continue
			}
			if g.Give == "points" && g.Points == 0 || g.Give != "points" && g.Value.Currency == "" && g.Give != "" {
				c.error(where, "plan.gift", "give", g.Give)
			}
		}
	}
}

// checkRPO compares how much may be lost with how often what the process needs
// is backed up.
func (c *checker) checkRPO() {
	often := map[string]*Backup{} // of what, the one that is made most often
	for i := range c.plan.Backups {
		b := &c.plan.Backups[i]
		if best := often[b.Of]; b.Of != "" && (best == nil || b.Every < best.Every) {
			often[b.Of] = b
		}
	}
	for i := range c.plan.Impact {
		row, where := &c.plan.Impact[i], fmt.Sprintf("impact[%d].rpo", i)
		var best *Backup
		for _, need := range row.Needs {
			if b := often[need]; b != nil && (best == nil || b.Every < best.Every) {
				best = b
			}
		}
		if _, there := c.business.places[where]; there && best != nil && best.Every > row.RPO {
			c.error(where, "plan.rpo-backup", "rpo", brief(row.RPO), "every", brief(best.Every), "id", best.ID)
		}
	}
}

func (c *checker) checkDrills() {
	quarter := Period{Months: 3}
	most, why := quarter, "plan.drill-seldom"
	for _, row := range c.plan.Impact {
		if row.Dependence == "high" {
			most, why = Period{Months: 1}, "plan.drill-seldom-high"
		}
	}
	least := -1
	for i, d := range c.plan.Drills {
		if d.Every.rough() > 0 && (least < 0 || d.Every.rough() < c.plan.Drills[least].Every.rough()) {
			least = i
		}
	}
	if least >= 0 && c.plan.Drills[least].Every.rough() > most.rough()+24*time.Hour {
		c.warning(fmt.Sprintf("drills[%d].every", least), why)
	}
	if len(c.plan.Drills) == 0 {
		return
	}
	drilled := map[string]bool{}
	for _, d := range c.plan.Drills {
		for _, id := range d.Scenarios {
			drilled[id] = true
		}
	}
	for i, s := range c.plan.Scenarios {
		if !drilled[s.ID] && s.ID != "" {
			c.warning(fmt.Sprintf("scenarios[%d].id", i), "plan.never-drilled", "id", s.ID)
		}
	}
}

// checkSections holds a full plan to the sections that it must have.
func (c *checker) checkSections() {
	if c.plan.Profile != "full" {
		return
	}
	v := reflect.ValueOf(c.plan).Elem()
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		if _, there := c.business.places[tag.Get("yaml")]; tag.Get("full") == "true" && !there {
			c.error("id", "plan.section", "section", tag.Get("yaml"))
		}
	}
	standby := slices.ContainsFunc(c.plan.Channels, func(ch Channel) bool { return ch.Standby })
	if !standby && len(c.plan.Channels) > 0 {
		c.error("channels", "plan.no-standby")
	}
	for i, ch := range c.plan.Channels {
		if ch.Standby && ch.Test == nil {
			c.error(fmt.Sprintf("channels[%d]", i), "plan.no-test", "id", ch.ID)
		}
		if ch.Standby && ch.How == (Text{}) {
			c.warning(fmt.Sprintf("channels[%d].id", i), "plan.no-way", "id", ch.ID)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.plan.Roles)) {
		if role := c.plan.Roles[name]; len(role.May) > 0 && len(role.People) == 1 {
			c.error("roles."+name+".people", "plan.no-deputy", "role", name)
		}
	}
	for i := range c.plan.Runbooks {
		proven := slices.ContainsFunc(c.plan.Runbooks[i].Steps, func(s Step) bool { return s.Proof != nil || s.Do == "check" || s.Do == "approve" || s.Run != "" })
		if !proven && len(c.plan.Runbooks[i].Steps) > 0 {
			c.warning(fmt.Sprintf("runbooks[%d].id", i), "plan.unproven", "id", c.plan.Runbooks[i].ID)
		}
	}
}

// checkUse reports entries that nothing names.
func (c *checker) checkUse() {
	alone := c.alone()
	for _, doc := range []any{c.plan, c.plan.Tech} {
		v := reflect.ValueOf(doc)
		if v.IsNil() {
			continue
		}
		for i := range v.Elem().NumField() {
			tag := v.Elem().Type().Field(i).Tag
			e := c.entries[tag.Get("ids")]
			if tag.Get("used") != "true" || e == nil {
				continue
			}
			for _, name := range e.names {
				if !e.used[name] && !alone[tag.Get("ids")+" "+name] {
					e.in.Warning(e.at[name], "plan.unused", "id", name, "section", tag.Get("yaml"))
				}
			}
		}
	}
}

// alone are the entries, by their word, that are of use without being named.
func (c *checker) alone() map[string]bool {
	all := map[string]bool{}
	for _, ch := range c.plan.Channels {
		all["channels "+ch.ID] = ch.Standby
	}
	for _, s := range c.plan.Selfhelp { // a guide for an audience is shown to it
		all["selfhelp "+s.ID] = s.For != ""
	}
	if c.plan.Tech != nil {
		for name := range c.plan.Tech.Measures {
			all["measures "+name] = strings.HasPrefix(name, "shown ")
		}
	}
	return all
}
