package plan

import (
	"os"
	"strings"
	"testing"
)

// TestIsolationComesBeforeRecovery has a runbook recover in every place in which steps
// can stand, also in one that others run and a scenario starts by itself.
func TestIsolationComesBeforeRecovery(t *testing.T) {
	small, err := os.ReadFile("testdata/good/small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const (
		call  = "      - {id: call, say: Call the hosting provider., owner: commander, within: 10m}\n"
		begin = "scenarios:\n"
	)
	first := "      - {id: shut, say: Shut it., owner: commander, tags: [isolate]}\n"
	open := "  - id: open\n    steps:\n      - {id: open, say: Open., owner: commander, tags: [recover]}\n"
	shut := "  - id: shut\n    steps:\n      - {id: shut, say: Shut., owner: commander, tags: [isolate]}\n"
	run := "      - {id: go, run: open, owner: commander}\n"
	orElse := "      - {id: try, do: http, with: {url: 'https://shop.example/'}, owner: commander, else: open}\n"
	started := "  - {id: half, name: {en: Half, zh: 一半}, causes: [software], trigger: {person: true}, grade: SEV-1, runbook: open}\n"
	restore := "      - {id: back, do: backup.restore, with: {set: orders}, owner: commander, tags: [recover]}\n"
	sets := "backups:\n  - {id: orders, holds: [orders], every: 1d, keep: 1mo, copies: [local], restore: restart, owner: commander}\n"
	upgrade := "components:\n  - {id: app}\nchecklists:\n  - {id: before, name: Before, owner: commander, items: [{id: looked, say: We looked.}]}\n" +
		"upgrades:\n  - {id: next, of: app, before: before, backups: [orders], runbook: restart, roll_back: restart}\n"
	pass := "      - {id: pass, say: Let them in., owner: commander, tags: [recover]}\n"
	for _, c := range []struct {
		name, scenario, steps, more string
		warned                      int
	}{
		{"nothing to isolate", "", "", "", 0},
		{"one by itself", "", "", open, 1},
		{"run after isolation", "", first + run, open, 0},
		{"run before isolation", "", run + first, open, 1},
		{"run after isolation, and started by itself", started, first + run, open, 1},
		{"isolated in another one", "", "      - {id: close, run: shut, owner: commander}\n" + run, open + shut, 0},
		{"instead of a failed step", "", orElse, open, 1},
		{"instead of a failed step after isolation", "", first + orElse, open, 0},
		{"isolated only where a step fails", "", strings.Replace(orElse, "open", "shut", 1) + run, open + shut, 1},
		{"run twice", "", first + run + strings.Replace(run, "go,", "again,", 1), open, 0},
		{"a restore, which holds by itself", "", restore, sets, 0},
		{"an upgrade, which holds by itself", "", strings.Replace(restore, "backup.restore, with: {set: orders}", "upgrade.start, with: {upgrade: next}", 1), sets + upgrade, 0},
		{"what comes after a restore", "", restore + pass, sets, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(strings.Replace(string(small), call, call+c.steps, 1), begin, begin+c.scenario, 1) + c.more
			p, problems := Parse(Source{"shop.yaml", []byte(text)}, nil, nil)
			if p == nil {
				t.Fatalf("%+v", problems)
			}
			warned := 0
			for _, found := range problems {
				if found.ID == "plan.recover-first" {
					warned++
				}
			}
			if warned != c.warned {
				t.Errorf("%d warnings, want %d: %+v", warned, c.warned, problems)
			}
		})
	}
}
