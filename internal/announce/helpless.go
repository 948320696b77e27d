package announce

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// helplessness is why something does not go out by itself: no template fits, the law
// wants a person's word, or it is withheld as it would not be true yet.
var helplessness = []string{"helpless", "legal", "withheld"}

// helpless asks people to write what does not go out by itself.
func (t *turn) helpless(a *Audience, phase, why string) {
	what, at := why+"."+phase+"."+a.ID, time.Unix(int64(t.i.Reopened), 0).UTC()
	if t.was(what, at) {
		return
	}
	t.mark(what, at)
	t.page(helplessID(why, phase, a.ID, t.i.Reopened), "announce."+why+".", a, nil)
}

func helplessID(why, phase, audience string, reopened int) string {
	return why + "-" + phase + "-" + audience + "-" + strconv.Itoa(reopened)
}

// asks reports whether a notification asks people to write.
func asks(id string) bool {
	return slices.ContainsFunc(helplessness, func(why string) bool { return strings.Contains(id, ".n-"+why+"-") })
}

// answered withdraws what asks people to write to an audience that was told since, or
// of a time before the incident was opened again: nobody is to be asked for more.
func (t *turn) answered() {
	for id, n := range t.e.asking {
		if n.is.About != continuity.KindIncident+"/"+t.i.ID || n.is.Over() {
			continue
		}
		by, done := t.written(n.is)
		for _, other := range t.e.asking { // it asks for those that it tells, too
			if done && other.is.State == continuity.NotifyGrouped && other.is.By == id {
				_, done = t.written(other.is)
			}
		}
		if !done {
			continue
		}
		n.is.State, n.is.By, n.is.Since, n.is.Ended, n.is.Shown = continuity.NotifyCancelled, by, t.now, t.now, t.shown()
		if !n.is.Told.IsZero() {
			n.is.State = continuity.NotifyDelivered
		}
		t.add(continuity.Set(continuity.KindNotification, id, n.is.Service, n.version, "notification."+n.is.State, "", &n.is))
	}
}

// written reports whether an audience was told since people were asked to write to it,
// and by what.
func (t *turn) written(n continuity.Notification) (by string, done bool) {
	name, again := n.ID, ""
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		name, again = name[:i], name[i+1:]
	}
	if again != strconv.Itoa(t.i.Reopened) {
		return "", true
	}
	at := n.At
	if !n.Shown.IsZero() {
		at = n.Shown
	}
	for _, why := range helplessness {
		for _, phase := range []string{PhaseFirst, PhaseAllClear} {
			audience, ok := strings.CutPrefix(name, t.i.ID+".n-"+why+"-"+phase+"-")
			word, told := t.i.Public[audience]
			if ok && told && (word.At.After(at) || phase == PhaseAllClear && word.Phase == phase) {
				return word.Update + ".n-1", true
			}
		}
	}
	return "", false
}
