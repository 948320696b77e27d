package view_test

import (
	"path/filepath"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/view"
)

// BenchmarkFollow measures entries a second: records that are accepted, and
// later attempted and delivered, half of them in another batch.
func BenchmarkFollow(b *testing.B) {
	w := newWorld()
	w.model = nil
	var open []continuity.Receipt
	put := func(ev continuity.Event) { w.log.put(ev) }
	for i := range b.N {
		rec := w.record("orders", continuity.KeyTag(uint64(i%10_000)*0x9e3779b97f4a7c15))
		put(continuity.Event{Kind: continuity.KindAccepted, Accepted: rec})
		open = append(open, rec.Receipt)
		if i%2 == 0 && len(open) > 20_000 || i+1 == b.N {
			for _, r := range open {
				put(continuity.Event{Kind: continuity.KindAttempt, Attempt: &continuity.Attempt{Receipt: r, Number: 1}})
				put(continuity.Event{Kind: continuity.KindOutcome, Outcome: &continuity.Outcome{Receipt: r, To: continuity.Delivered, Response: &continuity.Response{Status: 201}}})
			}
			open = open[:0]
		}
	}
	v, err := view.Open(b.Context(), view.Options{Path: filepath.Join(b.TempDir(), "view.db"), Log: w.log, Decode: w.log.decode})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = v.Close() }()
	b.ResetTimer()
	if err := v.CatchUp(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(3*b.N)/b.Elapsed().Seconds(), "entries/s")
}
