package ledger_test

import (
	"slices"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/ledger"
)

// sameBase checks that a base tells of every pending and dead record what the
// live ledger does, each key's in order.
func sameBase(t *testing.T, l *ledger.Ledger, log *memLog, cps *memCheckpoints) {
	t.Helper()
	b := l.Base()
	if b.Position != log.End() {
		t.Errorf("base at %d, the log ends at %d", b.Position, log.End())
	}
	told := map[continuity.Receipt]bool{}
	order := map[continuity.KeyTag][]continuity.Position{}
	pending := int64(0)
	for st := range b.Standing {
		want, ok := l.Status(st.Receipt)
		if !ok || st != want {
			t.Errorf("base tells %+v, the ledger %+v", st, want)
		}
		told[st.Receipt] = true
		if st.State.Pending() {
			pending++
			order[st.Key] = append(order[st.Key], st.Position)
		}
	}
	var saved ledger.Checkpoints
	if cps != nil {
		saved = cps
	}
	state, _, err := ledger.Restore(log, saved)
	if err != nil {
		t.Fatal(err)
	}
	for key := continuity.KeyTag(1); key <= 10; key++ {
		if want := state.Order(key); !slices.Equal(order[key], want) {
			t.Errorf("key %d: %v, want %v", key, order[key], want)
		}
	}
	for n := range 200 {
		st, ok := l.Status(receipt(n))
		if standing := ok && (st.State.Pending() || st.State == continuity.Dead); standing != told[receipt(n)] {
			t.Errorf("record %d (%s) told: %v", n, st.State, told[receipt(n)])
		}
	}
	c := l.Counters("orders")
	if b.Pending() != c.Pending() || pending != c.Pending() {
		t.Errorf("%d pending, %d told, want %d", b.Pending(), pending, c.Pending())
	}
	if len(b.Totals) > 0 && b.Totals[0].Accepted != c.Accepted {
		t.Errorf("totals: %+v, want %+v", b.Totals, c)
	}
}

// TestBaseStaysAsItWas holds a base to the moment in which it was taken.
func TestBaseStaysAsItWas(t *testing.T) {
	l := open(t, newMemLog(), nil)
	accept(t, l, record(1, 1))
	accept(t, l, record(2, 1))
	b := l.Base()
	deliver(t, l, claim(t, l))
	accept(t, l, record(3, 2))
	var got []continuity.Receipt
	for st := range b.Standing {
		got = append(got, st.Receipt)
		if st.State != continuity.Queued {
			t.Errorf("%+v", st)
		}
	}
	if want := []continuity.Receipt{receipt(1), receipt(2)}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
