package ledger_test

import (
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/ledger"
)

// Every key distinct is the dearest shape, and just after the tables have grown
// the dearest moment. With few records the last, partly used chunk of slots
// weighs more than here: up to 200 KB.
func TestRule7_1_PendingRecordCostsAtMost64Bytes(t *testing.T) {
	open := route
	open.Hold = continuity.Hold{State: continuity.HoldOn}
	l, _, err := ledger.Open(ledger.Options{Log: newMemLog(), Routes: []continuity.Route{open}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n := 0
	for _, upTo := range []int{80_000, 116_000, 120_000} {
		for ; n < upTo; n++ {
			// As hashed tags are: spread over all bits.
			r := record(n, continuity.KeyTag(uint64(n+1)*0x9e3779b97f4a7c15))
			r.Class = continuity.Class(n % continuity.Classes)
			accept(t, l, worth(r, int64(n)*100, "CNY"))
		}
		if each := float64(l.PendingBytes()) / float64(n); each > 64 {
			t.Errorf("%d pending records cost %.1f bytes each", n, each)
		} else {
			t.Logf("%d pending: %.1f bytes each", n, each)
		}
	}
}
