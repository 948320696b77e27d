package respond

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/demo"
	"holdfast/internal/pgtest"
)

// TestStories plays all demos with the real program, one on SQLite and one on PostgreSQL
// by chance, on both where the node is killed at each stage, and believes their reports
// only as far as these name what was promised.
func TestStories(t *testing.T) {
	t.Parallel()
	chance := rand.New(rand.NewPCG(seed(t), 6)).IntN(2) // #nosec G404 -- chance, not secrecy
	for n, story := range []struct {
		name     string
		promises []string
	}{
		{"incident", []string{"errors", "lost", "doubled", "reordered", "books", "first-page", "first-word", "approval", "run", "restarted", "reconciled", "review", "accounted", "genuine"}},
		{"maintenance", []string{"errors", "lost", "doubled", "reordered", "books", "ladder", "workday", "contingency", "kept-until-verified", "batches", "restored", "review", "accounted", "genuine"}},
		{"upgrade", []string{"errors", "lost", "doubled", "reordered", "books", "upgrade-at-once", "upgrade-later", "upgrade-killed", "upgrade-again", "upgrade-done", "upgrade-sound", "reconciled", "accounted", "genuine"}},
	} {
		for i, database := range []string{"sqlite", "postgresql"} {
			switch {
			case story.name == "upgrade" && database == "postgresql":
				continue // its shop has a PostgreSQL of its own anyway
			case story.name != "upgrade" && *kills < 100 && (n+chance)%2 != i:
				continue
			}
			t.Run(story.name+"/"+database, func(t *testing.T) {
				t.Parallel()
				folder := t.TempDir()
				args := []string{"demo", story.name, "--json", "--folder", folder}
				if database == "postgresql" {
					args = append(args, "--control-dsn", pgtest.Database(t), "--shop-dsn", pgtest.Database(t))
				}
				ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
				defer cancel()
				var out, said bytes.Buffer
				cmd := exec.CommandContext(ctx, holdfast(t), args...) // #nosec G204 -- this program
				cmd.Stdout, cmd.Stderr = &out, &said
				if err := cmd.Run(); err != nil {
					t.Fatalf("%v\n%s%s%s", err, said.String(), out.String(), logs(folder))
				}
				var r demo.Report
				if err := json.Unmarshal(out.Bytes(), &r); err != nil {
					t.Fatal(err)
				}
				kept := map[string]bool{}
				for _, p := range r.Promises {
					kept[p.ID] = p.Kept
				}
				for _, id := range story.promises {
					if !kept[id] {
						t.Errorf("%s: not kept, or not looked at", id)
					}
				}
				if r.Customers.Accepted == 0 || r.Customers.Books.Sum == 0 {
					t.Errorf("%+v", r)
				}
				if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
					t.Errorf("left behind: %v %v", left, err)
				}
			})
		}
	}
}

// logs is what the programs of a demo that failed wrote to their logs.
func logs(folder string) string {
	var b strings.Builder
	files, _ := filepath.Glob(filepath.Join(folder, "*", "*.log")) // the pattern is right
	for _, file := range files {
		text, err := os.ReadFile(file) // #nosec G304 -- in the test's folder
		fmt.Fprintf(&b, "%s: %v\n%s\n", filepath.Base(file), err, text[max(0, len(text)-8000):])
	}
	return b.String()
}
