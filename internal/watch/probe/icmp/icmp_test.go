package icmp

import (
	"testing"
	"time"

	probing "github.com/prometheus-community/pro-bing"

	"holdfast/internal/continuity"
)

// TestJudge stands for networks that lose packets: no address of a test machine
// is sure to answer none.
func TestJudge(t *testing.T) {
	for received, want := range map[int]continuity.CheckState{3: "", 2: continuity.CheckDegraded, 0: continuity.CheckDown} {
		o := judge(&probing.Statistics{PacketsSent: 3, PacketsRecv: received, PacketLoss: float64(3-received) / 3 * 100, AvgRtt: time.Millisecond})
		if o.State != want {
			t.Errorf("%d of 3: %q", received, o.State)
		}
	}
}
