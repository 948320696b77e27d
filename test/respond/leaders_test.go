package respond

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/demo"
	"holdfast/internal/demo/process"
	"holdfast/internal/loopback"
	"holdfast/internal/pgtest"
)

// second starts another control node beside the first, on the same database.
func (w *world) second() *process.Process {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.Folder, "control.yaml"))
	w.did(err, "settings")
	addresses, err := loopback.Addresses(2)
	w.did(err, "addresses")
	var lines []string
	for _, line := range strings.Split(string(text), "\n") {
		switch name, _, _ := strings.Cut(line, ":"); name {
		case "node":
			line = "node: other"
		case "data":
			line = "data: other"
		case "listen":
			line = "listen: " + addresses[0]
		case "public":
			line = fmt.Sprintf("public: {listen: %q, url: %q}", addresses[1], "http://"+addresses[1])
		}
		lines = append(lines, line)
	}
	settings := filepath.Join(w.Folder, "other.yaml")
	w.did(os.WriteFile(settings, []byte(strings.Join(lines, "\n")), 0o600), "settings")
	s := process.New()
	s.Env = append(os.Environ(), "HOME="+w.Folder)
	p, err := s.Start("other", filepath.Join(w.Folder, "other.log"), w.Program, "control", "--config", settings, "--log-level", "warn")
	w.did(err, "start another node")
	w.t.Cleanup(func() {
		if w.t.Failed() {
			w.t.Logf("the other node's log ends:\n%s", p.Log())
		}
		s.Close()
	})
	return p
}

// TestALeaderThatSleptDoesNothingTwice stops the node that leads an upgrade, or its way
// back, for longer than its lease, as a machine does that is suspended: another one takes
// over, and goes on. When the first one wakes it writes nothing over what the other did: no
// stage of the way back is come to twice, and the shop's books are right.
func TestALeaderThatSleptDoesNothingTwice(t *testing.T) {
	t.Parallel()
	dsn := pgtest.Database(t)
	n := seed(t)
	w := newWorld(t, demo.Options{Releases: true, ControlDSN: dsn, PerMinute: 1000}, upgraded)
	other := w.second()
	w.answering()
	s := w.shopping("slept", n)
	s.ordered(50)
	rnd := rand.New(rand.NewPCG(n, 90)) // #nosec G404 -- chance, not secrecy
	l := &led{dying: &dying{world: w, gate: newGate(t, dsn, continuity.KindUpgrade, "{visit}"), rnd: rnd}, s: s}
	places := []string{"step-data", "back-stop", "back-restore", "back-switch", "back-start", "back-verify"}
	if *kills < 100 { // one of them, by chance
		i := rnd.IntN(len(places))
		places = places[i : i+1]
	}
	leads := func(ctx context.Context) string {
		var node string
		w.did(l.gate.db.QueryRowContext(ctx, "SELECT coalesce(max(node), '') FROM lease WHERE name = 'control' AND until > extract(epoch FROM now()) * 1000000").Scan(&node), "who leads")
		name, _, _ := strings.Cut(node, "/")
		return name
	}
	for _, place := range places {
		var sleeper *process.Process
		l.meets = map[string]func(context.Context, string){
			place: func(ctx context.Context, mark string) {
				if sleeper != nil {
					return
				}
				was := leads(ctx)
				if sleeper = w.Control; was == "other" {
					sleeper = other
				}
				w.did(syscall.Kill(sleeper.PID(), syscall.SIGSTOP), "stop it")
				l.gate.died() // its connections hang
				w.until(late, "another node leads", func(ctx context.Context) (bool, string) {
					now := leads(ctx)
					return now != "" && now != was, now
				})
			},
			"back-release": func(context.Context, string) {
				if sleeper != nil {
					w.did(syscall.Kill(sleeper.PID(), syscall.SIGCONT), "wake it")
				}
			},
		}
		t.Logf("it sleeps at %s", place)
		u := l.through("v2", "", "")
		if u.State != continuity.UpgradeRolled || u.Rollbacks != 1 || sleeper == nil {
			t.Fatalf("%s: %s %+v %+v %+v", place, u.State, u.Failure, u.Back, u.Asks)
		}
		come := map[string]int{}
		for _, m := range u.Trail {
			if come[m.Stage]++; come[m.Stage] > 1 && strings.HasPrefix(m.Stage, "back-") {
				t.Errorf("%s: %s was come to %d times", place, m.Stage, come[m.Stage])
			}
		}
	}
	s.balance()
}
