package ledger_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/ledger"
)

var update = flag.Bool("update", false, "write the files of testdata anew")

// What an older relay wrote must mean the same for ever: these files change
// only when the format is extended, together with docs/formats/journal.md.
func golden(t *testing.T, name string, got []byte) (want []byte) {
	t.Helper()
	name = "testdata/" + name
	if *update && got != nil {
		if err := os.WriteFile(name, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return want
}

func TestEntriesAreWrittenAndReadAsEver(t *testing.T) {
	stamp := func(e continuity.Event) continuity.Event {
		e.Clock, e.At = 123456, time.UnixMilli(1_790_000_000_001)
		return e
	}
	var b bytes.Buffer
	for _, e := range events() {
		fmt.Fprintf(&b, "%s %x\n", e.Kind, ledger.Encode(stamp(e)))
	}
	want := string(golden(t, "entries.txt", b.Bytes()))
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	for i, line := range strings.Split(strings.TrimSpace(want), "\n") {
		_, digits, _ := strings.Cut(line, " ")
		payload, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		e := stamp(events()[i])
		got, err := ledger.Decode(journal.Stored{Entry: journal.Entry{Kind: e.Kind, Payload: payload}})
		if err != nil {
			t.Fatal(e.Kind, err)
		}
		if diff := cmp.Diff(e, got, networks); diff != "" {
			t.Errorf("%s:\n%s", e.Kind, diff)
		}
	}
}

func TestCheckpointsAreWrittenAndReadAsEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // on its clock every run writes the same
		log, cps := newMemLog(), &memCheckpoints{}
		l := open(t, log, cps)
		for n := range 6 {
			accept(t, l, record(n, continuity.KeyTag(n%4)))
		}
		deliver(t, l, claim(t, l))
		st := claim(t, l)
		if _, err := l.Attempt(st.Receipt); err != nil {
			t.Fatal(err)
		}
		finish(t, l, continuity.Outcome{Receipt: st.Receipt, To: continuity.InDoubt, Reason: continuity.ReasonLost, After: time.Minute})
		finish(t, l, continuity.Outcome{Receipt: claim(t, l).Receipt, To: continuity.Dead, Reason: continuity.ReasonPoison})
		err := l.Switch(continuity.Switch{
			Route: "orders", Owner: "li.wei", Reason: "upgrade", Intake: continuity.IntakeHold, Replay: continuity.ReplayOff,
			Force: true, Until: time.UnixMilli(1_800_000_000_123).UTC(),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		want, err := hex.DecodeString(string(golden(t, "checkpoint.txt", fmt.Appendf(nil, "%x", cps.newest.data))))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, cps.newest.data) {
			t.Errorf("a checkpoint was\n%q\nand is\n%q", want, cps.newest.data)
		}
		first, err := hex.DecodeString(string(golden(t, "checkpoint-1.txt", nil)))
		if err != nil {
			t.Fatal(err)
		}
		for version, data := range map[int][]byte{1: first, 2: want} {
			s, _, err := ledger.Restore(log, &memCheckpoints{newest: saved{cps.newest.at, data}})
			if err != nil {
				t.Fatal(version, err)
			}
			if diff := cmp.Diff(l.Describe(), s.Describe()); diff != "" {
				t.Error(version, diff)
			}
		}
	})
}
