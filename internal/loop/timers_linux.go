package loop

// timers is a binary heap of tasks by the time at which they want to be looked
// at. A task knows its place, so that it can be moved and taken out.
type timers []*Task

func (h timers) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}

func (h timers) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent].rings <= h[i].rings {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h timers) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if h[child].rings < h[least].rings {
				least = child
			}
		}
		if least == i {
			return
		}
		h.swap(i, least)
		i = least
	}
}

// arm sees to it that t is looked at when its deadline comes. A timer that rings
// too early stays: moving it for each wait would cost more.
func (h *timers) arm(t *Task) {
	switch {
	case t.deadline == 0:
	case t.place == 0:
		t.rings = t.deadline
		*h = append(*h, t)
		t.place = len(*h)
		h.up(t.place - 1)
	case t.deadline < t.rings:
		t.rings = t.deadline
		h.up(t.place - 1)
	}
}

// drop takes t out.
func (h *timers) drop(t *Task) {
	i, last := t.place-1, len(*h)-1
	if i < 0 {
		return
	}
	t.place = 0
	if i != last {
		(*h)[i] = (*h)[last]
		(*h)[i].place = i + 1
	}
	(*h)[last] = nil
	*h = (*h)[:last]
	if i != last {
		h.up(i)
		h.down(i)
	}
}

// due takes out and returns a task whose timer has rung, or nil.
func (h *timers) due(now int64) *Task {
	if len(*h) == 0 || (*h)[0].rings > now {
		return nil
	}
	t := (*h)[0]
	h.drop(t)
	return t
}

// next is when the first timer rings; 0: never.
func (h timers) next() int64 {
	if len(h) == 0 {
		return 0
	}
	return h[0].rings
}
