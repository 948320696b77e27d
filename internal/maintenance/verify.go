package maintenance

import (
	"slices"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// verifyWithin is how long a verification may take before somebody is asked.
const verifyWithin = 30 * time.Minute

// kindsOfVerify are the parts of a verification, in the order in which they are
// looked at.
var kindsOfVerify = []string{"base", "custom", "integrations"}

// verifying is the phase in which it is seen whether all works. A check counts while
// it is up; what a person said stays said.
func (w *window) verifying() {
	w.watchPut()
	w.follow()
	lacks := w.unverified()
	if len(lacks) == 0 {
		w.verified()
		return
	}
	due := w.Course.Agreed.Add(verifyWithin)
	if w.shown.Before(due) {
		w.wake(due)
	} else if w.once("verify") {
		w.ask(w.rules.Course.Commander, "course.verify-late.", continuity.UrgencyPage, map[string]any{"items": w.lines(lacks)})
	}
}

// unverified looks at what Holdfast sees by itself, and returns what was not seen to
// work.
func (w *window) unverified() (lacks []Verify) {
	for i := range w.rules.Course.Verify {
		v := &w.rules.Course.Verify[i]
		if v.Check != "" {
			_, up := w.up(v.Check)
			w.check(v.ID, up)
		}
		if !slices.Contains(w.Checked, v.ID) {
			lacks = append(lacks, *v)
		}
	}
	return lacks
}

// check notes whether a thing was seen to work.
func (w *window) check(id string, works bool) {
	i := slices.Index(w.Checked, id)
	switch {
	case works && i < 0:
		w.Checked = append(w.Checked, id)
	case !works && i >= 0:
		w.Checked = slices.Delete(w.Checked, i, i+1)
	default:
		return
	}
	w.mark("window.checked")
}

// verified has people come back.
func (w *window) verified() {
	w.become("window.verified")
	if len(w.rules.Batches) == 0 {
		w.release()
		return
	}
	w.State = continuity.WindowReadmitting
	w.letIn(1)
}

// lines names things that are verified, each in a line under its kind.
func (w *window) lines(all []Verify) continuity.Text {
	text := func(lang catalogue.Lang) string {
		var b strings.Builder
		for _, kind := range kindsOfVerify {
			var names []string
			for i := range all {
				if v := &all[i]; v.Kind == kind {
					names = append(names, in(first(v.Say, plainText(v.ID)), lang))
				}
			}
			if len(names) > 0 {
				b.WriteString(catalogue.Text(lang, "course.verify-line", catalogue.Args{
					"kind": catalogue.Text(lang, "course.verify."+kind, nil), "items": strings.Join(names, map[catalogue.Lang]string{catalogue.En: ", ", catalogue.Zh: "、"}[lang]),
				}))
				b.WriteByte('\n')
			}
		}
		return strings.TrimRight(b.String(), "\n")
	}
	return continuity.Text{En: text(catalogue.En), Zh: text(catalogue.Zh)}
}
