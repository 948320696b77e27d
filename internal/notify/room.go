package notify

import (
	"cmp"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// room is when a channel's attempts began, by which its bounds are kept. The times
// are those of the deliveries, so the bounds hold over restarts.
type room struct {
	all []time.Time
	by  map[string][]time.Time // address
}

func (e *Engine) roomOf(sender string) *room {
	r := e.rooms[sender]
	if r == nil {
		r = &room{by: map[string][]time.Time{}}
		e.rooms[sender] = r
	}
	return r
}

// add takes the attempts of a delivery.
func (r *room) add(d *continuity.Delivery) {
	for _, at := range d.Tried {
		r.took(numberOf(d), at)
	}
}

// numberOf is what an address is bounded by.
func numberOf(d *continuity.Delivery) string { return cmp.Or(d.Number, d.Address) }

func (r *room) took(address string, at time.Time) {
	r.all = put(r.all, at)
	if address != "" {
		r.by[address] = put(r.by[address], at)
	}
}

func put(times []time.Time, at time.Time) []time.Time {
	i, _ := slices.BinarySearchFunc(times, at, func(a, b time.Time) int { return a.Compare(b) })
	return slices.Insert(times, i, at)
}

// free is when the channel takes another message to an address: now or later.
// Where there is room for more than one message a minute, the last is kept for
// pages.
func (r *room) free(now time.Time, o *Opened, address string, page bool) time.Time {
	most := o.perMinute()
	if !page && most > 1 {
		most--
	}
	at := after(r.all, most, time.Minute, now)
	for _, bound := range o.Kind.PerNumber {
		if later := after(r.by[address], bound.Count, bound.Within, now); address != "" && later.After(at) {
			at = later
		}
	}
	return at
}

// after is when fewer than so many of the times are within a time.
func after(times []time.Time, most int, within time.Duration, now time.Time) time.Time {
	// What lies ahead is of a clock that has been put back since.
	known, _ := slices.BinarySearchFunc(times, now.Add(clocks), func(a, b time.Time) int { return a.Compare(b) })
	times = times[:known]
	if most <= 0 || len(times) < most {
		return now
	}
	if at := times[len(times)-most].Add(within); at.After(now) {
		return at
	}
	return now
}

// longestRoom is how long attempts count at most.
const longestRoom = 24 * time.Hour

func (r *room) prune(now time.Time) {
	old := func(at time.Time) bool { return now.Sub(at) > longestRoom }
	r.all = slices.DeleteFunc(r.all, old)
	for address, times := range r.by {
		if r.by[address] = slices.DeleteFunc(times, old); len(r.by[address]) == 0 {
			delete(r.by, address)
		}
	}
}
