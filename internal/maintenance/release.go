package maintenance

import (
	"fmt"
	"slices"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// PhaseAllClear is the phase of the templates that says that everybody may come.
const PhaseAllClear = "all-clear"

// StepRelease is the step that lets everybody in.
const StepRelease = "release"

// release ends a window that went well: everybody may come, what was before stands
// again, and people are asked how it was.
func (w *window) release() {
	w.State, w.Ended, w.Course.Over = continuity.WindowDone, w.now, w.shown
	w.Review = w.shown.Add(w.rules.Course.Review)
	w.become("window.done")
	w.restore()
	w.sayEnd(false)
	w.sayRelease()
	w.ask(w.rules.Course.Commander, "course.review.", continuity.UrgencyNotice, map[string]any{"due": w.clock(w.Review)})
}

// sayRelease tells all of the staff that they may come back, and how to say how it
// was. What they were asked before is over.
func (w *window) sayRelease() {
	for _, id := range w.rules.Tell {
		a := w.rules.Audiences[id]
		key := StepRelease + "/" + id
		if _, told := w.Told[key]; told || a.Kind != "staff" {
			continue
		}
		w.told(key)
		n := continuity.Notification{Urgency: continuity.UrgencyNotice, To: []continuity.Recipient{{Kind: continuity.ToAudience, ID: id}}, Ends: true}
		if _, ours := a.Words[PhaseAllClear]; ours {
			n.Template, n.Vars = a.Kind+"/"+PhaseAllClear, w.vars(&a)
		} else {
			args := func(lang catalogue.Lang) catalogue.Args {
				return w.args(lang, map[string]any{"end": w.clock(w.Course.Agreed)})
			}
			n.Subject, n.Text = both("course.released.subject", args), both("course.released.text", args)
		}
		w.tell(n)
	}
}

// restore has what was before stand again: all that was put for this window ends.
// What other windows put, and what people set, is not touched.
func (w *window) restore() {
	w.Course.Restored = w.now
	w.take()
	w.unsilence()
}

// askedAll notes that nothing is left to do after a window.
const askedAll = "settled"

// settled reports whether nothing is left to do after a window.
func settled(w *continuity.Window) bool {
	return over(w) && (w.Began.IsZero() || slices.Contains(w.Course.Asked, askedAll))
}

// after is what is left to do when a window is over: what stands is taken away, what
// people say goes to the vendor, and the review is not forgotten.
func (w *window) after() {
	if w.Course.Restored.IsZero() && w.State != continuity.WindowFailed {
		if w.Course.Over.IsZero() {
			w.Course.Over = w.shown
		}
		w.restore()
		w.mark("window.restoring")
	}
	w.watchPut()
	w.follow()
	if w.action != "" {
		return
	}
	pending := !w.taken()
	if w.forward() {
		return
	}
	if v := w.rules.Course.Vendor; v != nil && w.Course.Forwarded.IsZero() {
		pending = true
	}
	if !w.Review.IsZero() && w.Course.Reviewed == nil {
		if w.shown.Before(w.Review) {
			w.wake(w.Review)
			return
		}
		if w.once("review") {
			w.ask(w.rules.Course.Commander, "course.review-due.", continuity.UrgencyNotice, map[string]any{"due": w.clock(w.Review)})
			return
		}
	}
	if !pending {
		w.once(askedAll)
	}
}

// ask tells a role of something that only people can decide; where the plan has no
// such role, whoever owns the plan. Deputies are asked after them.
func (w *window) ask(role, id, urgency string, more map[string]any) {
	to := continuity.Recipient{Kind: continuity.ToRole, ID: role}
	var next []continuity.Recipient
	if role == "" {
		to = continuity.Recipient{Kind: continuity.ToPerson, ID: w.rules.Owner}
	} else {
		next = append(next, continuity.Recipient{Kind: continuity.ToDeputies, ID: role})
	}
	if c := w.rules.Course.Commander; c != "" && c != role {
		next = append(next, continuity.Recipient{Kind: continuity.ToRole, ID: c}, continuity.Recipient{Kind: continuity.ToDeputies, ID: c})
	}
	w.write(id, urgency, more, to, next...)
}

// write tells somebody in words of the catalogue.
func (w *window) write(id, urgency string, more map[string]any, to continuity.Recipient, next ...continuity.Recipient) {
	args := func(lang catalogue.Lang) catalogue.Args { return w.args(lang, more) }
	n := continuity.Notification{
		Urgency: urgency, To: []continuity.Recipient{to}, Touches: w.Affected,
		Subject: both(id+"subject", args), Text: both(id+"text", args),
	}
	if urgency == continuity.UrgencyPage {
		n.Escalate = next
	}
	if id == "course.check-in." {
		n.AckWithin, n.Vars = answerWithin, map[string]string{varBatch: fmt.Sprint(more["batch"])}
	}
	w.tell(n)
}

// courseVars are what messages of a window say of its end once that is not the one
// that was announced.
func (w *window) courseVars(vars map[string]string, put func(string, continuity.Text)) {
	if !w.Course.Agreed.IsZero() {
		vars["end"] = w.clock(w.Course.Agreed)
	}
	switch {
	case w.Course.Expected.After(w.End):
		vars["expected"] = w.clock(w.Course.Expected)
	case w.State == continuity.WindowOverrun:
		delete(vars, "expected")
		put("expected", both("course.unknown-end", func(catalogue.Lang) catalogue.Args { return nil }))
	}
}
