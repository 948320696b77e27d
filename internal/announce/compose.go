package announce

import (
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// Composed is a template of a plan, filled for what it is about. This is the one place
// where that is done: a runbook's step says what an update would.
type Composed struct {
	Subject, Text continuity.Text
	Vars          map[string]string
	Missing       []string // fields without which it is not sent
}

// OfIncident fills a template for an audience of an incident; ok is false where the plan
// has no such template. An audience that was promised no further word is promised one as
// often as the grade says.
func (r *Rules) OfIncident(i *continuity.Incident, audience, template string, at time.Time) (c Composed, ok bool) {
	a, known := r.audience(audience)
	if !known {
		a = &Audience{ID: audience}
	}
	s := saying{expected: i.Expected, next: r.promised(i, audience, at)}
	return r.composed(ofIncident(r, i, a, s), template)
}

// OfWindow fills a template for a window.
func (r *Rules) OfWindow(w *continuity.Window, template string) (c Composed, ok bool) {
	return r.composed(ofWindow(r, w), template)
}

// Of fills a template for a service, of which nothing is known but since when.
func (r *Rules) Of(service string, since time.Time, template string) (c Composed, ok bool) {
	v := values{}
	v.usual(r)
	v.service(service)
	v.moment("start", since, r.Zone)
	v.affected(r, nil)
	return r.composed(v, template)
}

func (r *Rules) composed(v values, template string) (c Composed, ok bool) {
	t, ok := r.Find(template)
	if !ok {
		return c, false
	}
	c.Subject, c.Text, c.Missing = compose(&t, v)
	c.Vars = v
	return c, true
}

// compose fills a template; it names the fields without which it can't be sent.
func compose(t *Template, v values) (subject, text continuity.Text, missing []string) {
	subject, missing = t.Subject.Fill(v)
	text, more := t.Text.Fill(v)
	for _, name := range more {
		if !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	for _, name := range t.Must {
		if !t.says(name) && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	return subject, text, missing
}
