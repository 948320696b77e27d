package loop

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Timers ring in order, whatever was armed, moved and dropped before.
func TestTimersRingInOrder(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var h timers
	tasks := make([]*Task, 200)
	for i := range tasks {
		tasks[i] = &Task{}
	}
	for range 5000 {
		task := tasks[r.IntN(len(tasks))]
		if r.IntN(4) == 0 {
			h.drop(task)
			continue
		}
		task.deadline = r.Int64N(1000) // 0: none
		h.arm(task)
	}
	var want []int64
	for _, task := range tasks {
		if task.place > 0 {
			want = append(want, task.rings)
		}
	}
	slices.Sort(want)
	var got []int64
	for task := h.due(1000); task != nil; task = h.due(1000) {
		got = append(got, task.rings)
	}
	if !slices.Equal(got, want) {
		t.Errorf("rang at %v, want %v", got, want)
	}
}
