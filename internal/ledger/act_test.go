package ledger_test

import (
	"testing"

	"holdfast/internal/continuity"
)

func TestRule9_2_ActsAreOnAStatedVersion(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	accept(t, l, record(1, 7))
	accept(t, l, record(2, 7))
	parked := finish(t, l, continuity.Outcome{Receipt: claim(t, l).Receipt, To: continuity.Parked, Reason: continuity.ReasonPoison})
	act := continuity.Act{Receipt: parked.Receipt, Version: parked.Version - 1, Verb: continuity.VerbRetry, Person: "li.wei", Why: "fixed"}
	if _, err := l.Act(act); continuity.CodeOf(err) != continuity.CodeVersion {
		t.Fatal(err)
	}
	act.Version = parked.Version
	if st, err := l.Act(act); err != nil || st.State != continuity.Queued {
		t.Fatal(st, err)
	}
	deliver(t, l, claim(t, l))
	if st := claim(t, l); st.Receipt != receipt(2) {
		t.Fatal("the key did not go on")
	}
	same(t, l, log, nil)
}

func TestRule9_3_EditReplacesAtTheEndOfItsKey(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	old := accept(t, l, record(1, 7))
	accept(t, l, record(2, 7))
	fresh := record(3, 7)
	st, err := l.Act(continuity.Act{Receipt: old.Receipt, Version: old.Version, Verb: continuity.VerbEdit, Person: "li.wei", Why: "wrong address", Replacement: fresh})
	if err != nil || st.Receipt != fresh.Receipt || st.State != continuity.Queued {
		t.Fatal(st, err)
	}
	if st, _ := l.Status(old.Receipt); st.State != continuity.Discarded {
		t.Fatal(st)
	}
	rec, err := l.Record(st.Position)
	if err != nil || rec.Replaces != old.Receipt {
		t.Fatal(rec, err)
	}
	for _, want := range []int{2, 3} {
		got := claim(t, l)
		if got.Receipt != receipt(want) {
			t.Fatalf("claimed %s, want number %d", got.Receipt.Short(), want)
		}
		deliver(t, l, got)
	}
	if c := l.Counters("orders"); !c.Balanced() || c.Discarded != 1 || c.Accepted != 3 {
		t.Fatal(c)
	}
	same(t, l, log, nil)
}

func TestRule9_3_DoubtfulRecordsAreNotEdited(t *testing.T) {
	l := open(t, newMemLog(), nil)
	lost := record(1, 7)
	lost.Lost = true
	st := accept(t, l, lost)
	_, err := l.Act(continuity.Act{Receipt: st.Receipt, Version: st.Version, Verb: continuity.VerbEdit, Person: "li.wei", Replacement: record(2, 7)})
	if continuity.CodeOf(err) != continuity.CodeState {
		t.Fatal(err)
	}
}

func TestSwitchesOfTheLaterSettingWinAndForceBeatsThem(t *testing.T) {
	log := newMemLog()
	l := open(t, log, nil)
	put := func(s continuity.Switch) {
		t.Helper()
		s.Route = "orders"
		if err := l.Switch(s); err != nil {
			t.Fatal(err)
		}
	}
	want := func(in continuity.Intake, re continuity.Replay) {
		t.Helper()
		if i, r := l.Effective("orders"); i != in || r != re {
			t.Fatalf("%s %s, want %s %s", i, r, in, re)
		}
	}
	want(continuity.IntakePass, continuity.ReplayOn)
	put(continuity.Switch{Owner: "health", Intake: continuity.IntakeHold, Replay: continuity.ReplayOff})
	put(continuity.Switch{Owner: "operator:a", Intake: continuity.IntakePass, Replay: continuity.ReplayTrial})
	want(continuity.IntakeHold, continuity.ReplayOff)
	put(continuity.Switch{Owner: "operator:b", Intake: continuity.IntakePass, Force: true})
	want(continuity.IntakePass, continuity.ReplayOff)
	put(continuity.Switch{Owner: "health", Lift: true})
	want(continuity.IntakePass, continuity.ReplayTrial)
	same(t, l, log, nil)
}
