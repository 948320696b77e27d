package faults

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/test/harness"
)

func TestMain(m *testing.M) {
	harness.Abreast(2)
	os.Exit(m.Run())
}

var only = flag.String("faults.only", "", "seed only the fault of this name")

// fault replaces code that stands exactly once in a file.
type fault struct {
	name  string
	file  string // below the module's root
	from  string
	to    string
	suite string // package that must catch it
	run   string // its tests, as go test -run takes them
}

var table = []fault{
	{
		name: "waiting line's tokens not checked", file: "internal/admission/token.go",
		from: "if !hmac.Equal(b[tokenBody:], sum[:tokenMAC]) {", to: "if !hmac.Equal(b[tokenBody:], sum[:tokenMAC]) && false {",
		suite: "./internal/admission", run: "TestLineTokensCannotBeMade",
	},
	{
		name: "waiting line steps on over errors", file: "internal/admission/keeper.go",
		from: "case seen.bad > 1 && seen.failed() > l.conf.Errors:", to: "case false:",
		suite: "./internal/admission", run: "TestLineStepsOnlyWhenAllIsWell",
	},
	{
		name: "data key of an erased segment left alone", file: "internal/journal/erase.go",
		from: "_, err = old.WriteAt(make([]byte, min(headerBytes, size)), 0)", to: "_, err = old.WriteAt(nil, size)",
		suite: "./internal/journal", run: "TestRule10_3",
	},
	{
		name: "copy counts before its name is durable", file: "internal/journal/erase.go",
		from: "if err := f.syncDir(); err != nil {\n\t\treturn false, err\n\t}\n", to: "",
		suite: "./internal/journal", run: "TestRule10_3",
	},
	{
		name: "answers not erased", file: "internal/ledger/privacy.go",
		from: "f.State, f.Ended = e.Outcome.To, e.At\n\t\t\t\tf.Entries = append(f.Entries, stored.Position)", to: "f.State, f.Ended = e.Outcome.To, e.At",
		suite: "./internal/ledger", run: "TestRule10_3",
	},
	{
		name: "no fsync", file: "internal/journal/append.go",
		from: "err := seg.file.Sync(); err != nil", to: "err := error(nil); err != nil",
		suite: "./internal/journal", run: "TestPowerCut",
	},
	{
		name: "directory not synced", file: "internal/journal/files.go",
		from: "err := f.fs.SyncDir(); err != nil", to: "err := error(nil); err != nil",
		suite: "./internal/journal", run: "TestPowerCut",
	},
	{
		name: "fsync retried after failing", file: "internal/journal/append.go",
		from:  "err := seg.file.Sync(); err != nil",
		to:    "err := seg.file.Sync(); err != nil && seg.file.Sync() != nil",
		suite: "./internal/journal", run: "Test",
	},
	{
		name: "latch forgotten", file: "internal/journal/files.go",
		from: "if f.latch.CompareAndSwap(nil, &err) {", to: "if false {",
		suite: "./internal/journal", run: "Test",
	},
	{
		name: "checksum not looked at", file: "internal/journal/frame.go",
		from: "return crc32.Update(^crc, castagnoli, frame[4:])", to: "return ^crc",
		suite: "./internal/journal", run: "Test",
	},
	{
		name: "answer before commit", file: "internal/ledger/commit.go",
		from: "l.queue = append(l.queue, p)",
		to: `if p.event.Kind == continuity.KindAccepted {
			early := *p
			early.done = make(chan struct{}, 1)
			p.done <- struct{}{}
			p = &early
		}
		l.queue = append(l.queue, p)`,
		suite: "./internal/ledger", run: "TestRule1",
	},
	{
		name: "callers that do not wait are told too early", file: "internal/ledger/commit.go",
		from: "l.queue = append(l.queue, p)",
		to: `if then := p.then; then != nil && p.event.Kind == continuity.KindAccepted {
			st := Status{Receipt: p.event.Accepted.Receipt, State: continuity.Queued}
			p.then = func(Status, error) {}
			go then(st, nil)
		}
		l.queue = append(l.queue, p)`,
		suite: "./internal/ledger", run: "TestRule1",
	},
	{
		name: "what was kept stays registered", file: "internal/ledger/synced.go",
		from: "delete(l.live, r.Receipt) // it is known by its record now", to: "_ = r",
		suite: "./internal/ledger", run: "TestRule5_2",
	},
	{
		name: "gate opened while the record is on its way", file: "internal/ledger/ledger.go",
		from: "return l.flight.keys[k] > 0 || l.state.keys.head(k) != 0", to: "return l.state.keys.head(k) != 0",
		suite: "./internal/ledger", run: "TestRule3",
	},
	{
		name: "gate opened at the attempt", file: "internal/ledger/ledger.go",
		from:  "return l.flight.keys[k] > 0 || l.state.keys.head(k) != 0",
		to:    "h := l.state.keys.head(k)\n\treturn l.flight.keys[k] > 0 || h != 0 && (l.state.after(h) != 0 || l.state.slots.at(h).state() != continuity.Attempting)",
		suite: "./internal/ledger", run: "TestRule3",
	},
	{
		name: "two of a key at once", file: "internal/ledger/schedule.go",
		from: "return t.is(flagHead) && !t.is(flagClaimed) &&", to: "return !t.is(flagClaimed) &&",
		suite: "./internal/ledger", run: "TestRule3|TestRule1_4",
	},
	{
		name: "restart forgets what was attempting", file: "internal/ledger/apply.go",
		from: "s.move(t, continuity.InDoubt, continuity.ReasonRestart)", to: "s.move(t, continuity.Queued, continuity.ReasonRestart)",
		suite: "./internal/ledger", run: "TestRule1_4",
	},
	{
		name: "doubt expires as not processed", file: "internal/ledger/expire.go",
		from: "!t.is(flagDoubted|flagClaimed|flagBusy)", to: "!t.is(flagClaimed|flagBusy)",
		suite: "./internal/ledger", run: "TestRule2_4",
	},
	{
		name: "age by the wall clock", file: "internal/ledger/ledger.go",
		from: "l.clockBase, l.clockStart = state.clock, time.Now()", to: "l.clockBase, l.clockStart = state.clock, time.UnixMilli(946684800000)",
		suite: "./internal/ledger", run: "TestRule2_4",
	},
	{
		name: "attempt not recorded", file: "internal/replay/deliver.go",
		from: "if _, err := d.Ledger.Attempt(st.Receipt); err != nil {", to: "if err := error(nil); err != nil {",
		suite: "./internal/replay", run: "TestRule4_1",
	},
	{
		name: "settle ignored", file: "internal/ledger/apply.go",
		from: "t.notBefore = ceilTick(s.clock + millis(r.Settle))", to: "t.notBefore = 0",
		suite: "./internal/ledger", run: "TestRule4_4",
	},
	{
		name: "settle ignored after a lost replay", file: "internal/replay/verdict.go",
		from: "After: max(c.Route.Settle, wait, asked),", to: "After: max(wait, asked),",
		suite: "./internal/replay", run: "TestRule4",
	},
	{
		name: "client sends again by itself", file: "internal/http1/client.go",
		from: "if reused && errors.As(err, &sent) && !sent.Sent &&", to: "if (reused || !fresh) && errors.As(err, &sent) &&",
		suite: "./internal/http1", run: "TestRule4_6",
	},
	{
		name: "cap not reserved for what is on its way", file: "internal/ledger/commit.go",
		from: "l.flight.money[moneyKey{r.Route, r.Amount.Currency}] += r.Amount.Units", to: "_ = r.Amount.Units",
		suite: "./internal/ledger", run: "TestRule2_2",
	},
	{
		name: "recorded after it was sent", file: "internal/relay/pass.go",
		from: "f.recording(p)\n\tresult", to: "defer f.recording(p)\n\tresult",
		suite: "./internal/relay", run: "TestRule12",
	},
	{
		name: "one person approves their own act", file: "internal/ledger/decide.go",
		from: "a.Approver != \"\" && a.Approver == a.Person", to: "a.Approver != \"\" && a.Approver == \"nobody\"",
		suite: "./internal/ledger", run: "TestRule9_2",
	},
	{
		name: "what is brought back joins the end of its key", file: "internal/ledger/apply.go",
		from: "s.joinAhead(ref, t)", to: "s.join(ref, t)",
		suite: "./internal/ledger", run: "TestRule12",
	},
	{
		name: "another request under the same key taken for a repeat", file: "internal/relay/repeat.go",
		from: "if !f.whole || rec.Fingerprint != ", to: "if f.whole && !f.whole && rec.Fingerprint != ",
		suite: "./internal/relay", run: "TestRule5",
	},
}

func all() []fault {
	return slices.Concat(table, modesFaults, replayFaults, trustFaults, outboundFaults, protocolFaults, seamFaults, planFaults, controlFaults, incidentFaults, backupFaults)
}

// Whoever moves a line that a fault replaces hears of it in a moment, not at
// the end of a run over all of them.
func TestEveryFaultFindsItsPlace(t *testing.T) {
	names := map[string]bool{}
	for _, f := range all() {
		if names[f.name] {
			t.Errorf("two faults are called %q", f.name)
		}
		names[f.name] = true
		source, err := os.ReadFile(filepath.Join("../..", f.file))
		if err != nil {
			t.Error(err)
		} else if n := strings.Count(string(source), f.from); n != 1 {
			t.Errorf("%q: %s holds %d times, not once:\n%s", f.name, f.file, n, f.from)
		}
	}
}

// Each fault is caught by the suite that it names.
func TestEverySeededFaultIsCaught(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, f := range all() {
		if *only != "" && *only != f.name {
			continue
		}
		seen++
		t.Run(strings.ReplaceAll(f.name, " ", "-"), func(t *testing.T) {
			t.Parallel() // most of a fault's time is compiling by one and waiting by another
			f.seed(t, root)
		})
	}
	if seen == 0 {
		t.Fatalf("no fault is called %q", *only)
	}
}

func (f fault) seed(t *testing.T, root string) {
	file := filepath.Join(root, f.file)
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), f.from); n != 1 {
		t.Fatalf("%s holds %d times, not once, what the fault replaces:\n%s", f.file, n, f.from)
	}
	dir := t.TempDir()
	seeded := filepath.Join(dir, "seeded.go")
	if err := os.WriteFile(seeded, []byte(strings.Replace(string(source), f.from, f.to, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{file: seeded}})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	// #nosec G204 -- the table is above
	out, err := exec.CommandContext(ctx, "go", "-C", root, "test", "-count=1", "-vet=off", "-failfast", "-timeout=45s", "-overlay", list, "-run", f.run, f.suite).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		t.Fatalf("nobody noticed:\n%s", out)
	case !errors.As(err, &exit):
		t.Fatal(err)
	case strings.Contains(string(out), "[build failed]") || strings.Contains(string(out), "[setup failed]"):
		t.Fatalf("the fault does not compile:\n%s", out)
	case !strings.Contains(string(out), "--- FAIL") && !strings.Contains(string(out), "panic:"):
		t.Fatalf("the suite failed, but no test of it:\n%s", out)
	}
	t.Logf("caught by %s", failing(string(out)))
}

func failing(out string) string {
	for _, line := range strings.Split(out, "\n") {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: "); ok {
			return name
		}
	}
	return "a panic"
}
