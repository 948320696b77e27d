package replay

import (
	"math/bits"
	"time"
)

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
