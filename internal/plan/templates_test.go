package plan

import "testing"

// TestDefaultsForEverybody holds the messages that come along to every kind of
// audience in every phase: a plan without templates of its own is told to all.
func TestDefaultsForEverybody(t *testing.T) {
	none := map[string]bool{ // who is not told, and when
		"regulator notice": true, "regulator start": true, "regulator changed": true, "regulator overrun": true, "regulator end": true, "regulator cancelled": true,
		"staff compensation": true, "executives compensation": true, "partners compensation": true, "regulator compensation": true,
	}
	p := &Plan{}
	for _, audience := range WordsOf[Audience]("kind") {
		for _, phase := range WordsOf[Template]("phase") {
			got, ok := p.Template(audience, phase)
			if ok == none[audience+" "+phase] {
				t.Errorf("%s, %s: %v", audience, phase, ok)
			}
			if ok && (got.Text.En == "" || got.Text.Zh == "" || got.Text.En == got.Text.Zh) {
				t.Errorf("%s, %s: one language only", audience, phase)
			}
		}
	}
}

// TestDefaultsSayWhatTheirPhaseDemands checks them as it would a plan's own.
func TestDefaultsSayWhatTheirPhaseDemands(t *testing.T) {
	r := read(Source{"defaults/templates.yaml", defaultTemplates}, planLanguage, &struct {
		Templates []Template `yaml:"templates"`
	}{})
	c := &checker{plan: &Plan{Templates: DefaultTemplates()}, business: r}
	c.checkTemplates()
	for _, p := range r.settle() {
		t.Error(p.Text("en"))
	}
}
