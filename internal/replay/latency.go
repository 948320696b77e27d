package replay

import (
	"math/bits"
	"time"
)

const (
	// Too slow is a median of so many times the healthy one, and more than that
	// by so much that it can't be the noise of a busy machine; or, in a row of
	// seconds, a 95th percentile. One stall a second is not the upstream's load.
	slowFactor = 3
	slowMedian = 10 * time.Millisecond
	slowTail   = 25 * time.Millisecond
	slowInARow = 2
)

// normal is what latency is while all is well.
type normal struct {
	median, tail time.Duration // 0: not known yet
	slowTails    int           // seconds in a row
}

// slow judges one second, and learns from it if it was well.
func (n *normal) slow(took *latencies) bool {
	if took.n < enoughToTell {
		return false
	}
	median, tail := took.quantile(0.5), took.quantile(0.95)
	if n.median == 0 {
		n.median, n.tail = median, tail
	}
	if median > max(slowFactor*n.median, n.median+slowMedian) {
		return true
	}
	if tail > max(slowFactor*n.tail, n.tail+slowTail) {
		n.slowTails++
		return n.slowTails >= slowInARow
	}
	n.slowTails = 0
	// What is normal may change: the median slowly, so that overload which comes
	// slowly is seen.
	n.median = min(median, n.median+(median-n.median)/64)
	n.tail += (tail - n.tail) / 8
	return false
}

// latencies counts durations in buckets an eighth of their size wide.
type latencies struct {
	counts [latencyBuckets]uint32
	n      int
}

const latencyBuckets = 8 * 32

func latencyBucket(d time.Duration) int {
	us := uint64(max(d.Microseconds(), 0)) // #nosec G115 -- not negative
	if us < 8 {
		return int(us) // #nosec G115 -- below 8
	}
	exp := bits.Len64(us) - 4 // us>>exp is 8 to 15
	return min(8*exp+int(us>>exp), latencyBuckets-1)
}

// latencyOf is the upper end of a bucket.
func latencyOf(bucket int) time.Duration {
	if bucket < 16 {
		return time.Duration(bucket+1) * time.Microsecond
	}
	exp := bucket/8 - 1
	return time.Duration(bucket%8+9) << exp * time.Microsecond
}

func (l *latencies) add(d time.Duration) {
	l.counts[latencyBucket(d)]++
	l.n++
}

func (l *latencies) merge(other *latencies) {
	for i, n := range other.counts {
		l.counts[i] += n
	}
	l.n += other.n
}

// quantile returns a duration that the share q of all don't exceed.
func (l *latencies) quantile(q float64) time.Duration {
	rest := int(q*float64(l.n) + 0.999999)
	for i, n := range l.counts {
		if rest -= int(n); rest <= 0 {
			return latencyOf(i)
		}
	}
	return latencyOf(latencyBuckets - 1)
}
