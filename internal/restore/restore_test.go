package restore_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/restore"
)

var night = time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)

// tape is a journal that needs no writing.
type tape struct {
	events    []continuity.Event
	elsewhere func(address string) bool
}

func (l *tape) add(minute int, e continuity.Event) continuity.Position {
	e.At = night.Add(time.Duration(minute) * time.Minute)
	l.events = append(l.events, e)
	return continuity.Position(len(l.events))
}

func (l *tape) scan(t *testing.T, since int, pending ...byte) restore.Found {
	t.Helper()
	f, err := restore.Scan(restore.Options{
		Elsewhere: l.elsewhere, Route: "orders", Since: night.Add(time.Duration(since) * time.Minute),
		Entries: func(yield func(journal.Stored, error) bool) {
			for n := range l.events {
				if !yield(journal.Stored{Position: continuity.Position(n + 1)}, nil) {
					return
				}
			}
		},
		Decode: func(s journal.Stored) (continuity.Event, error) { return l.events[s.Position-1], nil },
		Pending: func(r continuity.Receipt) bool {
			for _, p := range pending {
				if r[0] == p {
					return true
				}
			}
			return false
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func rec(n byte, key, method string) *continuity.Record {
	return &continuity.Record{Receipt: continuity.Receipt{n}, Route: "orders", KeyText: key, Method: method, IdempotencyKey: string('a' + rune(n))}
}

func (l *tape) passed(minute int, r *continuity.Record, to continuity.State) {
	at := l.add(minute, continuity.Event{Kind: continuity.KindRecorded, Recorded: r})
	if to != 0 {
		l.add(minute, continuity.Event{Kind: continuity.KindPassed, Passed: []continuity.Passed{{Position: at, To: to}}})
	}
}

func (l *tape) delivered(minute int, r continuity.Receipt) {
	l.add(minute, continuity.Event{Kind: continuity.KindOutcome, Outcome: &continuity.Outcome{Receipt: r, To: continuity.Delivered}})
}

func receipts(f restore.Found) (got []byte) {
	for _, r := range f.Requests {
		got = append(got, r.Root[0])
	}
	return got
}

func TestRule12_ScanFindsWhatReachedTheUpstreamInItsOrder(t *testing.T) {
	l := &tape{}
	l.passed(-5, rec(1, "A", "POST"), continuity.Delivered) // before
	l.add(-4, continuity.Event{Kind: continuity.KindAccepted, Accepted: rec(2, "A", "PUT")})
	l.add(-3, continuity.Event{Kind: continuity.KindAccepted, Accepted: rec(3, "B", "POST")})
	l.delivered(1, continuity.Receipt{3}) // B first, though A was accepted first
	l.delivered(2, continuity.Receipt{2})
	l.passed(3, rec(4, "A", "PUT"), continuity.Delivered)
	l.passed(4, rec(5, "A", "PUT"), continuity.Refused)
	l.passed(5, rec(6, "A", "PUT"), 0)                // the relay died: nobody knows
	l.passed(6, rec(7, "C", "POST"), continuity.Dead) // never processed, and then kept
	l.add(6, continuity.Event{Kind: continuity.KindAccepted, Accepted: rec(7, "C", "POST")})
	l.delivered(7, continuity.Receipt{7})
	back := rec(20, "A", "PUT") // an earlier restore brought 4 back
	back.Again, back.IdempotencyKey = continuity.Receipt{4}, "e"
	l.add(8, continuity.Event{Kind: continuity.KindAccepted, Accepted: back})
	l.delivered(9, continuity.Receipt{20})
	l.delivered(10, continuity.Receipt{99}) // its request is gone
	f := l.scan(t, 0)
	if diff := cmp.Diff([]byte{3, 2, 6, 7, 4}, receipts(f)); diff != "" || f.Gone != 1 {
		t.Errorf("%+v\n%s", f, diff)
	}
	if last := f.Requests[4]; last.Copies != 1 {
		t.Errorf("%+v", last)
	}
	if f = l.scan(t, 0, 20, 7); f.Pending != 2 || len(f.Requests) != 3 {
		t.Errorf("what is on its way is counted again: %+v", f)
	}
}

func TestRule12_CompareByIdempotencyKeyIsExact(t *testing.T) {
	l := &tape{}
	l.passed(1, rec(1, "A", "POST"), continuity.Delivered)
	l.passed(2, rec(2, "A", "PUT"), continuity.Delivered)
	c := restore.Compare(&continuity.Route{}, l.scan(t, 0).Requests, restore.Listed{Applied: map[string]struct{}{"b": {}}}, night)
	if len(c.There) != 1 || len(c.Missing) != 1 || c.Missing[0].Root[0] != 2 {
		t.Errorf("%+v", c)
	}
}

func TestRule12_CompareByKeySendsAgainOnlyWhatIsHarmless(t *testing.T) {
	l := &tape{}
	l.passed(1, rec(1, "A", "POST"), continuity.Delivered)
	l.passed(2, rec(2, "A", "PUT"), continuity.Delivered)
	l.passed(3, rec(3, "B", "POST"), continuity.Delivered)
	l.passed(4, rec(4, "B", "PUT"), continuity.Delivered)
	requests := l.scan(t, 0).Requests
	route := &continuity.Route{Reconcile: &continuity.Reconcile{Methods: []string{"POST"}}}
	for _, test := range []struct {
		name               string
		id                 continuity.Identity
		missing, undecided int
	}{
		{"by key", continuity.Identity{By: continuity.IdempotentKey, Remembers: time.Hour}, 3, 0},
		{"by key, forgotten", continuity.Identity{By: continuity.IdempotentKey, Remembers: time.Minute}, 2, 1},
		{"natural", continuity.Identity{By: continuity.IdempotentNatural}, 3, 0},
		{"none", continuity.Identity{}, 2, 1},
	} {
		route.Identity = test.id
		c := restore.Compare(route, requests, restore.Listed{Rows: map[string]int{"A": 1}}, night.Add(10*time.Minute))
		if len(c.Missing) != test.missing || len(c.Undecided) != test.undecided || len(c.There) != 1 {
			t.Errorf("%s: %+v", test.name, c)
		}
	}
}

// What the standby has, the upstream that was put back never had: it is not
// brought back, neither here nor there.
func TestWhatTheStandbyDeliveredIsNotBroughtBack(t *testing.T) {
	l := &tape{}
	for n, at := range []string{"", "http://first", "http://standby"} {
		r := rec(byte(n+1), "A", "POST")
		r.Upstream = at
		l.add(1, continuity.Event{Kind: continuity.KindAccepted, Accepted: r})
		l.delivered(2, r.Receipt)
	}
	l.elsewhere = func(address string) bool { return address == "http://standby" }
	if diff := cmp.Diff([]byte{1, 2}, receipts(l.scan(t, 0))); diff != "" {
		t.Error(diff)
	}
}
