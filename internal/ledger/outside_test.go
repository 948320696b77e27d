package ledger_test

import (
	"testing"
	"testing/synctest"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/ledger"
)

// attempted leaves one record in doubt, and returns what is known of it.
func attempted(t *testing.T, l *ledger.Ledger) ledger.Status {
	t.Helper()
	accept(t, l, record(1, 1))
	st := claim(t, l)
	if _, err := l.Attempt(st.Receipt); err != nil {
		t.Fatal(err)
	}
	return finish(t, l, continuity.Outcome{Receipt: st.Receipt, To: continuity.InDoubt, Reason: continuity.ReasonLost})
}

func sinceFirst(t *testing.T, l *ledger.Ledger, r continuity.Receipt) time.Duration {
	t.Helper()
	st, ok := l.Status(r)
	if !ok {
		t.Fatal("unknown record")
	}
	return time.Duration(l.Outside()-st.FirstAttempt) * time.Millisecond // #nosec G115 -- a test's time
}

func TestRule4_5_TheUpstreamForgetsWhileNoRelayRuns(t *testing.T) {
	for name, checkpoint := range map[string]bool{"from the log": false, "from a checkpoint": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log, cps := newMemLog(), &memCheckpoints{}
				l := open(t, log, cps)
				time.Sleep(time.Second)
				st := attempted(t, l)
				running := l.Clock()
				if checkpoint {
					if err := l.Checkpoint(); err != nil {
						t.Fatal(err)
					}
				}
				_ = l.Close()
				time.Sleep(80 * time.Hour)
				l = open(t, log, cps)
				time.Sleep(time.Minute)
				if have := sinceFirst(t, l, st.Receipt); have < 80*time.Hour || have > 80*time.Hour+2*time.Minute {
					t.Errorf("the first attempt is %v ago, want 80 h and a minute", have)
				}
				if have := time.Duration(l.Clock()-running) * time.Millisecond; have > 2*time.Minute { // #nosec G115 -- a test's time
					t.Errorf("running time went on by %v while no relay ran", have)
				}
				_ = l.Close()
				l = open(t, log, cps)
				if have := sinceFirst(t, l, st.Receipt); have < 80*time.Hour || have > 80*time.Hour+2*time.Minute {
					t.Errorf("after another restart the first attempt is %v ago, want the same", have)
				}
				_ = l.Close()
			})
		})
	}
}
