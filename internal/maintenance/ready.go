package maintenance

import (
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// States of what must be so before a window begins.
const (
	ReadyYes     = "yes"
	ReadyNo      = "no"
	ReadyUnknown = "unknown"
	ReadyWaived  = "waived" // a person said why it may be otherwise
)

// unreadyAhead is how long before the beginning those in charge are told what is
// missing.
const unreadyAhead = time.Hour

// channelFacts is the kind of the objects that hold how the node's channels do.
const channelFacts = continuity.KindChannel

// items are what must be so before the window begins: for one at short notice, only
// what Holdfast sees by itself.
func (w *window) items() []Item {
	if w.Kind != continuity.WindowEmergency {
		return w.rules.Ready
	}
	return slices.DeleteFunc(slices.Clone(w.rules.Ready), func(i Item) bool { return i.Check == "" && i.Channel == "" })
}

// checkReady looks at all that must be so, and notes what became otherwise.
func (w *window) checkReady() {
	items := w.items()
	ready := make([]continuity.Readiness, 0, len(items))
	changed := len(items) != len(w.Ready)
	for i := range items {
		item := &items[i]
		now := continuity.Readiness{ID: item.ID, State: ReadyUnknown, At: w.now}
		if k := slices.IndexFunc(w.Ready, func(r continuity.Readiness) bool { return r.ID == item.ID }); k >= 0 {
			now = w.Ready[k]
		} else {
			changed = true
		}
		if seen, ok := w.look(item); ok && (now.State != ReadyWaived || seen.State == ReadyYes) && (seen.State != now.State || seen.Reason.Code != now.Reason.Code) {
			seen.ID, seen.At = item.ID, w.now
			now, changed = seen, true
		}
		ready = append(ready, now)
	}
	if changed {
		w.Ready = ready
		w.mark("window.readiness")
	}
}

// look sees for itself how an item is; ok is false where a person has to say it.
func (w *window) look(item *Item) (seen continuity.Readiness, ok bool) {
	reason := func(code string) continuity.CheckReason {
		return continuity.CheckReason{Code: "maintenance.ready." + code}
	}
	switch {
	case item.Check != "":
		seen.By, seen.State, seen.Reason = "check/"+item.Check, ReadyUnknown, reason("check-unknown")
		var c continuity.JudgedCheck
		if _, there := w.facts.get(continuity.ObjectCheck, item.Check, &c); !there {
			return seen, true
		}
		switch c.State {
		case continuity.CheckUp:
			seen.State, seen.Reason = ReadyYes, continuity.CheckReason{}
		case continuity.CheckDegraded, continuity.CheckDown:
			seen.State, seen.Reason = ReadyNo, reason("check-"+string(c.State))
		}
		return seen, true
	case item.Channel != "":
		seen.By, seen.State, seen.Reason = "channel/"+item.Channel, ReadyUnknown, reason("never-tested")
		var c continuity.ChannelState
		if _, there := w.facts.get(channelFacts, item.Sender, &c); !there || item.Sender == "" || c.Test == nil {
			return seen, true
		}
		switch {
		case c.Test.State == "failed":
			seen.State, seen.Reason = ReadyNo, reason("test-failed")
		case c.Test.State != "passed":
		case item.Until != nil && w.now.After(item.Until(c.Test.At)):
			seen.State, seen.Reason = ReadyNo, reason("test-old")
		default:
			seen.State, seen.Reason = ReadyYes, continuity.CheckReason{}
			if item.Until != nil {
				w.wakeReal(item.Until(c.Test.At))
			}
		}
		return seen, true
	}
	return seen, false
}

// wakeReal has the window looked at again at a real time.
func (w *window) wakeReal(real time.Time) {
	if real.After(w.now) && (w.real.IsZero() || real.Before(w.real)) {
		w.real = real
	}
}

// ready reports whether the window may begin.
func (w *window) ready() bool { return len(w.unready()) == 0 }

// unready are the items that are in the way.
func (w *window) unready() (all []string) {
	for i := range w.Ready {
		if s := w.Ready[i].State; s != ReadyYes && s != ReadyWaived {
			all = append(all, w.Ready[i].ID)
		}
	}
	return all
}

// theirs reports whether others do the work: it begins whether we are ready or not.
func (w *window) theirs() bool { return w.Origin.Kind == OriginNotice }

// beginWhenReady has the work begin; what is not ready stands in the way of work of
// our own, until its time is over.
func (w *window) beginWhenReady() {
	switch {
	case !w.shown.Before(w.End) && w.theirs():
		w.State, w.Ended = continuity.WindowDone, w.now // nobody was there to see it
		w.mark("window.missed")
	case !w.shown.Before(w.End):
		w.cancel("maintenance.cancelled.unready", continuity.Text{})
	case w.ready() || w.theirs():
		if !w.ready() {
			w.warnUnready("unready", "maintenance.unready-theirs.", continuity.UrgencyNotice)
		}
		w.begin()
	default:
		w.wake(w.End)
		w.warnUnready("unready", "maintenance.unready-held.", continuity.UrgencyPage)
	}
}

// warnUnready tells once who is in charge what is in the way.
func (w *window) warnUnready(key, text, urgency string) {
	if _, told := w.Told[key]; told {
		return
	}
	w.told(key)
	var names []continuity.Text
	for _, id := range w.unready() {
		name := plainText(id)
		if item := find(w.rules.Ready, id); item != nil {
			name = first(item.Say, name)
		}
		names = append(names, name)
	}
	w.owner(text, urgency, map[string]any{"items": Joined(names)})
}

// begin has the work begin.
func (w *window) begin() {
	w.State, w.Began = continuity.WindowRunning, w.now
	w.become("window.began")
	w.say(StepStart, PhaseStart)
	w.put()
}
