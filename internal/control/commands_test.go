package control

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/runbook"
)

// TestNodesEndTheirOwnCommandsOnly has another control plane of this machine, whose
// runs have the same names, end what one of its own lost.
func TestNodesEndTheirOwnCommandsOnly(t *testing.T) {
	dir := t.TempDir()
	began, end := filepath.Join(dir, "began"), filepath.Join(dir, "end")
	script := filepath.Join(dir, "work.sh")
	if err := os.WriteFile(script, []byte("touch "+began+"\nwhile [ ! -e "+end+" ]; do sleep 0.05; done\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	commands := "commands:\n  - {id: work, argv: [/bin/sh, " + script + "]}\n"
	mine, other := run(t, settings(t, t.TempDir(), commands)), run(t, settings(t, t.TempDir(), commands))
	const key = "shop.run-1/work/1"
	done := make(chan runbook.Result, 1)
	go func() {
		done <- mine.actions()["command"].Do(t.Context(), runbook.Call{
			Run: &continuity.Run{ID: "shop.run-1", Service: "shop"}, Step: &runbook.Step{ID: "work", Do: "command", With: map[string]string{"command": "work"}},
			Key: key, Until: time.Now().Add(time.Minute),
		})
	}()
	until(t, "the command", func() bool {
		_, err := os.Stat(began)
		return err == nil
	})
	other.actions()["command"].Lost(key)
	if err := os.WriteFile(end, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := <-done; r.Failed != nil {
		t.Errorf("%+v", r.Failed)
	}
}
