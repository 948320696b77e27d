package ledger_test

import (
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/ledger"
)

// Whoever was kept need not leave, and whoever was not is still being answered.
func TestRule5_2_ARecordEndsTheRegistration(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	kept, failed := record(1, 1), record(2, 2)
	for _, r := range []*continuity.Record{kept, failed} {
		if a, _ := l.Arrive(r.Receipt); a != ledger.Fresh {
			t.Fatalf("arrival %v", a)
		}
	}
	accept(t, l, kept)
	if n := l.Registered(); n != 1 {
		t.Errorf("%d registered after one of two was kept", n)
	}
	log.mu.Lock()
	log.fail = journal.ErrFull
	log.mu.Unlock()
	if _, was, err := l.Accept(failed, false); was || err == nil {
		t.Fatalf("kept %v, %v", was, err)
	}
	if a, _ := l.Arrive(failed.Receipt); a != ledger.InFlight {
		t.Errorf("a request that is about to be refused: arrival %v", a)
	}
	l.Leave(failed.Receipt)
	if n := l.Registered(); n != 0 {
		t.Errorf("%d registered at the end", n)
	}
}
