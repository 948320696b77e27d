package control

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/secret"
)

func TestMarkKey(t *testing.T) {
	dir := t.TempDir()
	key := strings.Repeat("k", 32)
	for name, text := range map[string]string{"GOOD": key + "\n", "SHORT": key[1:]} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	from := secret.Source{Folder: dir}
	if got, err := MarkKey(from, "GOOD"); err != nil || string(got) != key {
		t.Errorf("%q, %v", got, err)
	}
	for _, name := range []string{"SHORT", "NONE"} {
		if got, err := MarkKey(from, name); continuity.CodeOf(err) != continuity.CodeSecret || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
