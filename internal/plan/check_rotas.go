package plan

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// checkRotas holds rotas to turns that can be counted, and roles to rotas of their
// own people in which somebody is always on call.
func (c *checker) checkRotas() {
	for i := range c.plan.Rotas {
		r, where := &c.plan.Rotas[i], fmt.Sprintf("rotas[%d]", i)
		if e := r.Every; e.Months != 0 || e.Exact != 0 {
			c.error(where+".every", "plan.rota-every", "id", r.ID)
		}
		for j, h := range r.Hours {
			if h.To > 0 && h.From == h.To {
				c.error(fmt.Sprintf("%s.hours[%d].to", where, j), "plan.no-hours", "value", clock(h.To))
			}
		}
		gone := func(id string) bool { return c.left[id] != "" }
		if len(r.People) > 0 && !slices.ContainsFunc(r.People, func(id string) bool { return !gone(id) }) {
			c.warning(where+".people", "plan.rota-empty", "id", r.ID)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.plan.Roles)) {
		c.checkRotasOf(name, c.plan.Roles[name])
	}
}

func (c *checker) checkRotasOf(name string, role *Role) {
	var rotas []*Rota
	for i, id := range role.Rota {
		r := c.plan.Rota(id)
		if r == nil {
			return // an undefined one was reported
		}
		rotas = append(rotas, r)
		for _, person := range r.People {
			if person != "" && !slices.Contains(role.People, person) {
				c.error(fmt.Sprintf("roles.%s.rota[%d]", name, i), "plan.rota-outside", "role", name, "id", id, "value", person)
			}
		}
	}
	if from, to, there := gap(rotas); there {
		c.warning("roles."+name+".rota", "plan.rota-gap", "role", name, "from", from, "to", to)
	}
}

// Rota is the rota of an id, or nil.
func (p *Plan) Rota(id string) *Rota {
	for i := range p.Rotas {
		if p.Rotas[i].ID == id {
			return &p.Rotas[i]
		}
	}
	return nil
}

const week = 7 * 24 * 60 // minutes

// gap is a stretch of the week in which nobody is on call by any of some rotas. Rotas
// of several zones are not laid beside each other: their hours shift with the clocks.
func gap(rotas []*Rota) (from, to string, there bool) {
	if len(rotas) == 0 {
		return "", "", false
	}
	covered := make([]bool, week)
	for _, r := range rotas {
		if len(r.Hours) == 0 || r.Zone != rotas[0].Zone {
			return "", "", false
		}
		for _, h := range r.Hours {
			for _, name := range daysOr(h.Days) {
				day, _ := continuity.Weekday(name)
				begin, end := int(day)*24*60+int(h.From/time.Minute), int(day)*24*60+int(h.To/time.Minute)
				if h.To <= h.From {
					end += 24 * 60
				}
				for m := begin; m < end; m++ {
					covered[m%week] = true
				}
			}
		}
	}
	for m := range covered {
		if !covered[m] && covered[(m+week-1)%week] { // here it begins
			end := m
			for !covered[end%week] {
				end++
			}
			return moment(m), moment(end % week), true
		}
	}
	return "", "", false // all of the week, or nothing of it
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// daysOr are the days of a list, or all.
func daysOr(days []string) []string {
	if len(days) == 0 {
		return weekdays
	}
	return days
}

// moment is a minute of the week as plans write it.
func moment(m int) string {
	return weekdays[m/(24*60)] + " " + clock(time.Duration(m%(24*60))*time.Minute)
}
