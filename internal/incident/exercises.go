package incident

import (
	"maps"
	"slices"

	"holdfast/internal/continuity"
)

// reasonPlayed is why what belongs to an exercise ended with it.
const reasonPlayed = "exercise.over"

// played closes an incident whose exercise has ended, and drops its tasks: nobody is
// told, as those who took part know. What a relay still does in its name is told.
func (d *draft) played() {
	if d.State == continuity.Merged {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(d.engine.tasks)) {
		k := d.engine.tasks[id]
		if k.Incident != d.ID {
			continue
		}
		t := k.Task
		t.State, t.Reason, t.Ended, t.Shown = continuity.TaskDropped, reasonPlayed, d.now, d.engine.shown(d.Exercise, d.now)
		d.more = append(d.more, continuity.Set(continuity.KindTask, t.ID, t.Service, k.version, "task.dropped", reasonPlayed, t))
	}
	if d.State != continuity.Closed {
		d.State, d.Closed = continuity.Closed, d.now
		d.mark("closed", reasonPlayed)
		return
	}
	d.leftovers()
}
