package ledger_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/ledger"
)

func events() []continuity.Event {
	full := record(1, 7)
	full.Fingerprint = continuity.Fingerprint{1, 2, 3}
	full.Header = append(full.Header, continuity.Field{Name: "X-Empty"}, continuity.Field{Name: "X-Zh", Value: "订单"})
	full.Upstream = "http://standby:8080"
	full.Lost, full.Settle, full.Replaces = true, 1500*time.Millisecond, receipt(9)
	return []continuity.Event{
		{Kind: continuity.KindAccepted, Accepted: full},
		{Kind: continuity.KindAttempt, Attempt: &continuity.Attempt{Receipt: receipt(1), Number: 3}},
		{Kind: continuity.KindOutcome, Outcome: &continuity.Outcome{
			Receipt: receipt(1), To: continuity.Delivered, Reason: continuity.ReasonLost, After: time.Second,
			Response: &continuity.Response{Status: 201, Header: []continuity.Field{{Name: "A", Value: "b"}}, Body: []byte("ok"), Cut: true},
		}},
		{Kind: continuity.KindAct, Act: &continuity.Act{
			Receipt: receipt(1), Version: 4, Verb: continuity.VerbEdit, Person: "li.wei", Why: "wrong address", Replacement: record(2, 7),
		}},
		{Kind: continuity.KindSwitch, Switch: &continuity.Switch{
			Route: "orders", Owner: "operator:li.wei", Reason: "upgrade", Intake: continuity.IntakeHold, Replay: continuity.ReplayOff,
			Force: true, Until: time.UnixMilli(1_800_000_000_123), Lift: true,
		}},
		{Kind: continuity.KindRestart, Settle: time.Second, First: true},
		{Kind: continuity.KindClock},
		{Kind: continuity.KindCarried, Carried: &continuity.Carried{Record: full}},
		{Kind: continuity.KindHorizon, Horizon: 77},
		{Kind: continuity.KindAccepted, Accepted: worth(again(record(3, 7), 2), 12_345_600, "CNY")},
		{Kind: continuity.KindOutcome, Outcome: &continuity.Outcome{Receipt: receipt(1), To: continuity.Queued, Counts: true}},
		{Kind: continuity.KindAct, Act: &continuity.Act{
			Receipt: receipt(1), Verb: continuity.VerbTold, Person: "li.wei", Why: "by phone", Approver: "wang.fang", Route: "orders",
		}},
		{Kind: continuity.KindSwitch, Switch: &continuity.Switch{
			Route: "orders", Owner: "operator:li.wei:block:0011", Reason: "flood", Intake: continuity.IntakeBlock,
			Block: &continuity.Block{
				Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")},
				Paths:     []string{"/export/**"}, Headers: []continuity.Field{{Name: "User-Agent", Value: "bad*"}, {Name: "X-Any"}},
				Say: continuity.Said{En: "Later.", Zh: "请稍后。"},
			},
		}},
		{Kind: continuity.KindRecorded, Recorded: record(4, 7)},
		{Kind: continuity.KindPassed, Passed: []continuity.Passed{{Position: 10, To: continuity.Delivered, Status: 201}, {Position: 20, To: continuity.InDoubt}}},
		{Kind: continuity.KindProposed, Proposed: &continuity.Proposed{
			Act:    continuity.Act{Receipt: receipt(1), Version: 4, Verb: continuity.VerbEdit, Person: "li.wei", Why: "wrong", Replacement: record(2, 7)},
			Amount: continuity.Money{Units: 10_000, Currency: "CNY"},
		}},
		{Kind: continuity.KindPrivacy, Privacy: &continuity.Privacy{Erased: true, Person: "li.wei", Why: "asked", Route: "orders", Key: 7, Count: 3}},
		{Kind: continuity.KindSwitch, Switch: &continuity.Switch{
			Route: "orders", Owner: "operator:li.wei:admission", Rate: 12.345, Concurrency: 7,
			Line: &continuity.LineState{
				Since: time.UnixMilli(1_800_000_000_123), Step: 2, Stepped: time.UnixMilli(1_800_000_060_000), Healthy: 3 * time.Millisecond,
				Most: 3,
			},
		}},
	}
}

// networks compares what has no exported fields.
var networks = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

func TestEveryKindOfEventReadsAsItWasWritten(t *testing.T) {
	for _, e := range events() {
		e.Clock, e.At = 123456, time.UnixMilli(1_790_000_000_001)
		got, err := ledger.Decode(journal.Stored{Entry: journal.Entry{Kind: e.Kind, Payload: ledger.Encode(e)}})
		if err != nil {
			t.Fatal(e.Kind, err)
		}
		if diff := cmp.Diff(e, got, networks); diff != "" {
			t.Errorf("%s:\n%s", e.Kind, diff)
		}
	}
}

// FuzzDecode: no payload makes Decode panic; what it accepts is the same event
// for ever after, once written as the sequencer writes.
func FuzzDecode(f *testing.F) {
	for _, e := range events() {
		f.Add(uint8(e.Kind), ledger.Encode(e))
	}
	again := func(t *testing.T, e continuity.Event) continuity.Event {
		e, err := ledger.Decode(journal.Stored{Entry: journal.Entry{Kind: e.Kind, Payload: ledger.Encode(e)}})
		if err != nil {
			t.Fatalf("written again: %v", err)
		}
		return e
	}
	f.Fuzz(func(t *testing.T, kind uint8, payload []byte) {
		e, err := ledger.Decode(journal.Stored{Entry: journal.Entry{Kind: continuity.Kind(kind), Payload: payload}})
		if err != nil {
			return
		}
		once := again(t, e)
		if diff := cmp.Diff(once, again(t, once), networks); diff != "" {
			t.Fatal(diff)
		}
	})
}
