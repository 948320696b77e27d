package ledger_test

import (
	"sync"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/ledger"
)

// No record may be left lying because a ring was lost: many keep at once, and
// each waits for its own, so that the sequencer runs dry again and again.
func TestSequencerWithAThreadHearsEveryRing(t *testing.T) {
	unbounded := continuity.Route{ID: "orders", Hold: continuity.Hold{State: continuity.HoldOn}}
	l, _, err := ledger.Open(ledger.Options{Log: newMemLog(), Routes: []continuity.Route{unbounded}, Thread: true})
	if err != nil {
		t.Fatal(err)
	}
	const clients, each = 8, 500
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for n := range each {
				if _, kept, err := l.Accept(record(c*each+n+1, continuity.KeyTag(n)), false); err != nil || !kept {
					t.Errorf("client %d, record %d: kept %v, %v", c, n, kept, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := l.Counters("orders").Accepted; got != clients*each {
		t.Errorf("accepted %d", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
