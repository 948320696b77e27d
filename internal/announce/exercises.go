package announce

import (
	"maps"
	"slices"

	"holdfast/internal/continuity"
)

// played takes back what waits for an approval in an exercise that has ended, of which
// nothing is said any more: those who took part know.
func (t *turn) played() {
	of := t.e.updates[t.i.ID]
	for _, id := range slices.Sorted(maps.Keys(of)) {
		u := of[id].is
		if u.State != continuity.UpdateDraft {
			continue
		}
		u.State, u.Reason, u.Shown = continuity.UpdateRejected, "exercise.over", t.shown()
		t.add(continuity.Set(continuity.KindUpdate, id, u.Service, of[id].version, "update.rejected", u.Reason, &u))
	}
}
