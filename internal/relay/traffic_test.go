package relay

import (
	"testing"
	"time"
)

func TestRateLooksBackOverWholeSlots(t *testing.T) {
	var n traffic
	at := time.Unix(1_800_000_000, 0)
	for range 10 {
		n.count(at)
	}
	for _, tt := range []struct {
		after time.Duration
		want  float64
	}{{0, 0}, {slot, 5}, {span * slot, 5}, {(span + 1) * slot, 0}, {slots * slot, 0}} {
		if got := n.rate(at.Add(tt.after)); got != tt.want {
			t.Errorf("after %s: %v a second, want %v", tt.after, got, tt.want)
		}
	}
	n.count(at.Add(slots * slot)) // the same slot, one round later
	if got := n.rate(at.Add((slots + 1) * slot)); got != 0.5 {
		t.Errorf("an old round is counted: %v", got)
	}
}

func TestLatencyFollows(t *testing.T) {
	var n traffic
	for range 200 {
		n.answered(10 * time.Millisecond)
	}
	for range 200 {
		n.answered(20 * time.Millisecond)
	}
	if got := n.latency(); got < 19*time.Millisecond || got > 20*time.Millisecond {
		t.Errorf("latency %s", got)
	}
}
