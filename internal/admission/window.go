package admission

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// window counts how attempts ended, in buckets a quarter of their size wide.
type window struct {
	counts [windowBuckets]atomic.Uint32
	bad    atomic.Uint32
}

const windowBuckets = 4 * 30

func windowBucket(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 0)) // #nosec G115 -- not negative
	if us < 4 {
		return int(us) // #nosec G115 -- below 4
	}
	exp := bits.Len64(us) - 3 // us>>exp is 4 to 7
	return min(4*exp+int(us>>exp), windowBuckets-1)
}

// windowMiddle is the middle of a bucket.
func windowMiddle(bucket int) time.Duration {
	if bucket < 8 {
		return time.Duration(2*bucket+1) * time.Microsecond / 2
	}
	exp := bucket/4 - 1
	return time.Duration(2*(bucket%4+4)+1) << exp * time.Microsecond / 2
}

func (w *window) add(took time.Duration, bad bool) {
	if bad {
		w.bad.Add(1)
		return
	}
	w.counts[windowBucket(took)].Add(1)
}

// sample is what a window saw. Its median is of what went well.
type sample struct {
	n, bad int
	median time.Duration
}

func (s sample) failed() float64 {
	if s.n == 0 {
		return 0
	}
	return float64(s.bad) / float64(s.n)
}

// look reads the window; with empty it begins a new one.
func (w *window) look(empty bool) sample {
	var counts [windowBuckets]uint32
	read := func(v *atomic.Uint32) uint32 {
		if empty {
			return v.Swap(0)
		}
		return v.Load()
	}
	good := 0
	for i := range w.counts {
		counts[i] = read(&w.counts[i])
		good += int(counts[i])
	}
	s := sample{bad: int(read(&w.bad))}
	s.n = good + s.bad
	rest := (good + 1) / 2
	for i, n := range counts {
		if rest -= int(n); rest <= 0 && good > 0 {
			s.median = windowMiddle(i)
			break
		}
	}
	return s
}
