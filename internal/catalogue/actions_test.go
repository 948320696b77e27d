package catalogue

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// writes are the lines that write an event, or choose its action.
	writes = regexp.MustCompile(`continuity\.(Set|Put|Delete)\(|Action:|\bput\(|[aA]ction(, [a-z.]+)* :?= |\.note\(|mark\(`)
	action = regexp.MustCompile(`"([a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*)"`)
)

// TestEveryActionHasWords reads the actions from the control plane's source: none is
// shown to people as its code.
func TestEveryActionHasWords(t *testing.T) {
	found := 0
	err := filepath.WalkDir("..", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if strings.HasSuffix(e.Name(), "test") || e.Name() == "demo" {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path) // #nosec G304 -- the project's own source
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			if !writes.MatchString(line) {
				continue
			}
			for _, m := range action.FindAllStringSubmatch(line, -1) {
				found++
				for _, lang := range []Lang{En, Zh} {
					if Happened(lang, m[1]) == m[1] {
						t.Errorf("%s: %s has no words in %s", path, m[1], lang)
					}
				}
			}
		}
		return nil
	})
	if err != nil || found < 100 {
		t.Errorf("%d, %v", found, err)
	}
}
