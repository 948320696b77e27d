package plan

import (
	"fmt"
	"slices"
	"time"
)

// During is what a relay does with a route while a window runs.
type During struct {
	Route string   `yaml:"route" kind:"id" ref:"routes" required:"true" example:"orders"`
	Mode  string   `yaml:"mode" kind:"word" of:"hold,divert,reply,block" required:"true" example:"hold"`
	For   []string `yaml:"for" kind:"id" ref:"components" example:"[database]"`
}

// Uploads are requests that a relay refuses while a window runs.
type Uploads struct {
	Route string   `yaml:"route" kind:"id" ref:"routes" required:"true" example:"files"`
	Paths []string `yaml:"paths" kind:"text" required:"true" example:"[/files/bulk/**]"`
	Say   Text     `yaml:"say" example:"{en: Uploads wait until the maintenance is over., zh: 维护期间暂停上传。}"`
}

// Completion is who says that the work of a window is done.
type Completion struct {
	Checks []string      `yaml:"checks" kind:"id" ref:"checks" example:"[database]"`
	For    time.Duration `yaml:"for" kind:"duration" default:"2m"`
	Notice string        `yaml:"notice" kind:"id" ref:"providers" example:"messenger-inc"`
	Person string        `yaml:"person" kind:"person" ref:"roles" example:"technical"`
	Agree  int64         `yaml:"agree" kind:"int" min:"1" example:"2"`
}

// Verification is a part of what is looked at before people come back.
type Verification struct {
	Kind   string   `yaml:"kind" kind:"word" of:"base,custom,integrations" required:"true" example:"base"`
	Checks []string `yaml:"checks" kind:"id" ref:"checks" example:"[place-order]"`
	Items  []string `yaml:"items" kind:"id" example:"[login]"`
}

// Readmission is how people come back, batch by batch.
type Readmission struct {
	Routes   []string      `yaml:"routes" kind:"id" ref:"routes" example:"[orders]"`
	Groups   []Readmitted  `yaml:"groups"`
	Wait     time.Duration `yaml:"wait" kind:"duration" default:"10m"`
	CheckIns int64         `yaml:"check_ins" kind:"int" min:"1" example:"1"`
	Errors   string        `yaml:"errors" kind:"text" ref:"measures" example:"orders failing"`
	Most     *float64      `yaml:"most" kind:"figure" example:"1%"`
}

// Readmitted are the people of one batch.
type Readmitted struct {
	Teams []string `yaml:"teams" kind:"id" ref:"teams" required:"true" example:"[service]"`
}

// Vendor is who gets what people say of a window.
type Vendor struct {
	Provider string        `yaml:"provider" kind:"id" ref:"providers" required:"true" example:"messenger-inc"`
	Channel  string        `yaml:"channel" kind:"id" ref:"channels" required:"true" example:"standby-mail"`
	After    time.Duration `yaml:"after" kind:"duration" default:"1d"`
}

// checkWindows reports what of a window's course can't be gone by.
func (c *checker) checkWindows(m *Maintenance) {
	if d := m.Complete; d != nil {
		sources := len(d.Checks)
		for _, said := range []bool{d.Notice != "", d.Person != ""} {
			if said {
				sources++
			}
		}
		switch {
		case sources == 0:
			c.error("maintenance.complete", "plan.complete-nobody")
		case d.Agree > int64(sources):
			c.error("maintenance.complete.agree", "plan.complete-agree", "value", d.Agree, "sources", sources)
		}
	}
	items := map[string]bool{}
	for i := range c.plan.Checklists {
		if l := &c.plan.Checklists[i]; l.ID == m.Done && m.Done != "" {
			for j := range l.Items {
				items[l.Items[j].ID] = true
			}
		}
	}
	for i := range m.Verify {
		v, where := &m.Verify[i], fmt.Sprintf("maintenance.verify[%d]", i)
		if len(v.Checks)+len(v.Items) == 0 {
			c.error(where, "plan.verify-nothing", "kind", v.Kind)
		}
		for j, id := range v.Items {
			if id != "" && !items[id] {
				c.error(fmt.Sprintf("%s.items[%d]", where, j), "plan.verify-item", "value", id)
			}
		}
	}
	if r := m.Readmit; r != nil {
		if len(r.Groups) > len(m.Batches) {
			c.error("maintenance.readmit.groups", "plan.readmit-groups", "value", len(r.Groups), "batches", len(m.Batches))
		}
		if (r.Errors == "") != (r.Most == nil) {
			c.error("maintenance.readmit", "plan.readmit-errors")
		}
	}
	if f := m.Feedback; f != nil {
		if i := slices.IndexFunc(c.plan.Providers, func(p Provider) bool { return p.ID == f.Provider }); i >= 0 && c.plan.Providers[i].Mail == "" {
			c.error("maintenance.feedback.provider", "plan.feedback-mail", "value", f.Provider)
		}
	}
	if len(m.Batches) > 0 && !slices.ContainsFunc(m.Tell, func(id string) bool {
		a := c.plan.Audiences[id]
		return a == nil || a.Kind == "staff"
	}) {
		c.warning("maintenance.tell", "plan.release-nobody")
	}
	for i := range m.During {
		d := &m.During[i]
		if d.Route != "" && slices.ContainsFunc(m.During[:i], func(o During) bool { return o.Route == d.Route && len(o.For) == 0 && len(d.For) == 0 }) {
			c.error(fmt.Sprintf("maintenance.during[%d].route", i), "plan.during-twice", "value", d.Route)
		}
	}
}
