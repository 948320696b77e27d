package maintenance

import (
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// Sources that say that the work is done. That of a check or a provider has their id
// behind a slash.
const (
	SourcePerson = "person"
	sourceCheck  = "check/"
	sourceNotice = "notice/"
)

// Sources are all that may say that the work of a window is done, and how many of
// them have to. Without a word of the plan a person says so.
func (c *Complete) Sources() (all []string, need int) {
	for _, id := range c.Checks {
		all = append(all, sourceCheck+id)
	}
	if c.Notice != "" {
		all = append(all, sourceNotice+c.Notice)
	}
	if c.Person || len(all) == 0 {
		all = append(all, SourcePerson)
	}
	if need = c.Agree; need <= 0 || need > len(all) {
		need = len(all)
	}
	return all, need
}

// agreed asks the sources, and goes on to the verification when enough of them say
// that the work is done.
func (w *window) agreed() bool {
	all, need := w.rules.Course.Complete.Sources()
	says := 0
	for _, source := range all {
		_, said := w.Complete[source]
		is := said
		switch {
		case strings.HasPrefix(source, sourceCheck):
			is = w.back(strings.TrimPrefix(source, sourceCheck), w.rules.Course.Complete.For)
		case strings.HasPrefix(source, sourceNotice) && !said:
			is = w.theyAreDone(strings.TrimPrefix(source, sourceNotice))
		}
		if is != said {
			w.source(source, is)
		}
		if is {
			says++
		}
	}
	if says < need {
		return false
	}
	w.done()
	return true
}

// source notes what a source says, or that it does not say so any more.
func (w *window) source(name string, done bool) {
	if w.Complete == nil {
		w.Complete = map[string]time.Time{}
	}
	if done {
		w.Complete[name] = w.shown
	} else {
		delete(w.Complete, name)
	}
	w.mark("window.source")
}

// up reports whether a check is up.
func (w *window) up(check string) (since time.Time, ok bool) {
	var c continuity.JudgedCheck
	_, known := w.facts.get(continuity.ObjectCheck, check, &c)
	return c.Since, known && c.State == continuity.CheckUp
}

// back reports whether a check came back and has been up for a time. One that was up
// all the time says nothing of the work before that is to end.
func (w *window) back(check string, lasts time.Duration) bool {
	since, up := w.up(check)
	switch {
	case !up:
		return false
	case since.Before(w.Began):
		return !w.shown.Before(w.End)
	}
	if due := since.Add(lasts); w.now.Before(due) {
		w.wakeReal(due)
		return false
	}
	return true
}

// theyAreDone reports whether a provider says that the work is done, and a person
// confirmed that they do: of this window's announcement, or of another one that was
// about the same time.
func (w *window) theyAreDone(provider string) bool {
	return slices.ContainsFunc(w.facts.ids(kindNotice), func(id string) bool {
		var n struct {
			notice
			Provider string    `json:"provider"`
			Changed  time.Time `json:"changed"`
		}
		_, ok := w.facts.get(kindNotice, id, &n)
		return ok && n.Service == w.Service && n.Provider == provider && n.State == "over" && n.Type == "window" && n.Changed.After(w.Began)
	})
}

// done has the verification begin: the sources agree.
func (w *window) done() {
	w.Course.Agreed = w.shown
	w.unhindered()
	if len(w.rules.Course.Verify) == 0 && len(w.rules.Batches) == 0 {
		w.become("window.agreed")
		w.release()
		return
	}
	w.State = continuity.WindowVerifying
	w.become("window.agreed")
	w.sayEnd(true)
	if len(w.rules.Course.Verify) > 0 {
		w.ask(w.rules.Course.Technical, "course.verify.", continuity.UrgencyPage, map[string]any{"items": w.lines(w.rules.Course.Verify)})
	}
}

// unhindered forgets what a page of the overrun asked: that is answered.
func (w *window) unhindered() { w.Course.Expected = time.Time{} }

// inside are the kinds of audiences who are told at once that the work is done: they
// wait until they are let in. Others hear of it when everybody may come.
var inside = []string{"staff", "executives"}

// sayEnd tells that the work is done, to those inside the company or to the others.
func (w *window) sayEnd(in bool) {
	for _, id := range w.rules.Tell {
		key := StepEnd + "/" + id
		if _, told := w.Told[key]; told || slices.Contains(inside, w.rules.Audiences[id].Kind) != in {
			continue
		}
		w.told(key)
		w.sayTo(id, PhaseEnd, continuity.Recipient{Kind: continuity.ToAudience, ID: id}, false)
	}
}
