package admission

import (
	"sync/atomic"
	"time"
)

// bucket is a token bucket in one word: the time at which it would be full
// again (the generic cell rate algorithm). Its rate may change at any time.
type bucket struct{ full atomic.Int64 }

// pace is a rate as a bucket needs it, in nanoseconds.
type pace struct{ each, burst int64 }

func paceOf(perSecond float64, burst int) pace {
	each := int64(float64(time.Second) / perSecond)
	return pace{each: max(each, 1), burst: max(each, 1) * int64(max(burst, 1))}
}

// take takes a token, or tells how long there is none. share is the part of
// the burst that may be used.
func (b *bucket) take(now int64, p pace, share float64) (wait time.Duration) {
	for {
		full := b.full.Load()
		next, wait := after(full, now, p, share)
		if wait > 0 {
			return wait
		}
		if b.full.CompareAndSwap(full, next) {
			return 0
		}
	}
}

// forgiven is more than requests that are asked for at once differ in their time.
const forgiven = time.Second

// after is when a bucket is full again if a token is taken, and how long there
// is none. What can't be owed at this pace was taken at a lower one, before a
// person raised it, and is forgiven.
func after(full, now int64, p pace, share float64) (next int64, wait time.Duration) {
	if full-now > p.burst+int64(forgiven) {
		full = now
	}
	next = max(full, now) + p.each
	return next, time.Duration(next - now - max(int64(share*float64(p.burst)), p.each))
}
