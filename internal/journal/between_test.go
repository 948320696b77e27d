package journal_test

import (
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
)

// Positions jump where segments meet; the bytes between them don't.
func TestBetweenCountsBytesOverSegments(t *testing.T) {
	log, _, err := journal.Open(journal.Options{Dir: t.TempDir(), SegmentBytes: smallSegment, Ring: ring(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	const payload, n = 1000, 60
	var at []continuity.Position
	for range n {
		p, err := log.Append([]journal.Entry{{Kind: continuity.KindClock, Payload: make([]byte, payload)}})
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, p[0])
	}
	if got := int64(log.End() - at[0]); got < n*payload*100 {
		t.Fatalf("all in one segment: %d", got)
	}
	for i := range at {
		least := int64(n-i) * payload
		if got := log.Between(at[i], log.End()); got < least || got > least+least/4+1000 {
			t.Errorf("from entry %d: %d bytes, payloads are %d", i, got, least)
		}
	}
	if got := log.Between(log.End(), log.End()); got != 0 {
		t.Errorf("at the end: %d", got)
	}
	if got := log.Between(log.End(), at[0]); got != 0 {
		t.Errorf("backwards: %d", got)
	}
	all := log.Between(at[0], log.End())
	if got := log.Between(0, log.End()); got < all || got > all+1000 {
		t.Errorf("from nowhere: %d, from the first entry: %d", got, all)
	}
}
