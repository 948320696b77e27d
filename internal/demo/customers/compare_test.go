package customers

import (
	"slices"
	"testing"
)

// The books of two orders that agree with their ledger: A is created, changed
// and cancelled, B is created and changed.
func agreeing() ([]Step, Books) {
	mk := func(order string, n int, kind string, qty, cents int64) Step {
		return Step{Order: order, N: n, Kind: kind, Ref: order + "/" + string(rune('0'+n)), Qty: qty, Cents: cents, Status: 202}
	}
	steps := []Step{
		mk("A", 1, kindCreated, 1, 1000), mk("B", 1, kindCreated, 2, 500),
		mk("A", 2, kindChanged, 3, 3000), mk("B", 2, kindChanged, 4, 1005), mk("A", 3, kindCancelled, 3, 3000),
	}
	steps[1].Status = 201
	b := Books{
		Events: []Event{
			{"A", 1, kindCreated, 1, "10.00", "A/1"}, {"B", 1, kindCreated, 2, "5.00", "B/1"},
			{"A", 2, kindChanged, 3, "30.00", "A/2"}, {"A", 3, kindCancelled, 3, "30.00", "A/3"},
			{"B", 2, kindChanged, 4, "10.05", "B/2"},
		},
		Orders: map[string]Order{"A": {3, "30.00", stateCancelled}, "B": {4, "10.05", stateOpen}},
	}
	return steps, b
}

func TestCompareFindsEachFault(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(steps []Step, b *Books) []Step
		want  Comparison // beside the counts that always hold
	}{
		{"nothing", func(s []Step, _ *Books) []Step { return s }, Comparison{Found: 5}},
		{"an effect is lost", func(s []Step, b *Books) []Step {
			b.Events = slices.Delete(b.Events, 4, 5)
			return s
		}, Comparison{Found: 4, Lost: 1}},
		{"an order is lost", func(s []Step, b *Books) []Step {
			b.Events = []Event{b.Events[0], b.Events[2], b.Events[3]}
			delete(b.Orders, "B")
			return s
		}, Comparison{Found: 3, Lost: 2}},
		{"an effect is doubled", func(s []Step, b *Books) []Step {
			b.Events = append(b.Events, Event{"B", 3, kindChanged, 4, "10.05", "B/2"})
			return s
		}, Comparison{Found: 5, Doubled: 1}},
		{"two effects changed places", func(s []Step, b *Books) []Step {
			b.Events[1].Ref, b.Events[4].Ref = b.Events[4].Ref, b.Events[1].Ref
			b.Events[1].Kind, b.Events[1].Qty, b.Events[1].Total = kindChanged, 4, "10.05"
			b.Events[4].Kind, b.Events[4].Qty, b.Events[4].Total = kindCreated, 2, "5.00"
			return s
		}, Comparison{Found: 5, Reordered: 1}},
		{"an effect nobody asked for", func(s []Step, b *Books) []Step {
			b.Events = append(b.Events, Event{"B", 3, kindChanged, 9, "1.00", "B/9"})
			return s
		}, Comparison{Found: 5, Foreign: 1}},
		{"another amount", func(s []Step, b *Books) []Step {
			b.Events[4].Total = "10.06"
			b.Orders["B"] = Order{4, "10.06", stateOpen}
			return s
		}, Comparison{Found: 5, Differing: 2}},
		{"a cancelled order still open", func(s []Step, b *Books) []Step {
			b.Orders["A"] = Order{3, "30.00", stateOpen}
			return s
		}, Comparison{Found: 5, Differing: 1}},
		{"a request met an error and is there", func(s []Step, b *Books) []Step {
			s[3].Status = 504
			return s
		}, Comparison{Found: 4, Unclear: 1}},
		{"a request met an error and is not there", func(s []Step, b *Books) []Step {
			s[3].Status = 0
			b.Events = slices.Delete(b.Events, 4, 5)
			b.Orders["B"] = Order{2, "5.00", stateOpen}
			return s
		}, Comparison{Found: 4, Unclear: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			steps, b := agreeing()
			got := Compare(c.spoil(steps, &b), b)
			if got.Found != c.want.Found || got.Lost != c.want.Lost || got.Doubled != c.want.Doubled ||
				got.Reordered != c.want.Reordered || got.Differing != c.want.Differing ||
				got.Foreign != c.want.Foreign || got.Unclear != c.want.Unclear {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			faults := c.want.Lost + c.want.Doubled + c.want.Reordered + c.want.Differing + c.want.Foreign
			if got.Clean() != (faults == 0) {
				t.Errorf("clean %v with %d faults", got.Clean(), faults)
			}
			if faults == 0 && c.want.Unclear == 0 && (got.Sum != 1005 || got.ShopSum != 1005 || got.Orders != 1) {
				t.Errorf("sums %d and %d over %d orders, want 1005 over 1", got.Sum, got.ShopSum, got.Orders)
			}
		})
	}
}

func TestStreamFollowsFromItsSeed(t *testing.T) {
	take := func() []Step {
		s := NewStream("t", 7, 40, 500)
		var steps []Step
		for range 2000 {
			st := s.next()
			st.Status = 202
			s.answered(st)
			steps = append(steps, st)
		}
		return steps
	}
	first := take()
	if !slices.Equal(first, take()) {
		t.Error("the same seed gives another stream")
	}
	kinds, last := map[string]int{}, map[string]int{}
	for _, s := range first {
		kinds[s.Kind]++
		if s.N != last[s.Order]+1 {
			t.Fatalf("%s follows step %d", s.Ref, last[s.Order])
		}
		last[s.Order] = s.N
	}
	for _, kind := range []string{kindCreated, kindChanged, kindCancelled} {
		if kinds[kind] < 50 {
			t.Errorf("only %d requests %s in 2000", kinds[kind], kind)
		}
	}
}
