package app

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentedMetrics holds docs/admin-api.md to the names that are served,
// in both directions.
func TestDocumentedMetrics(t *testing.T) {
	s := newShop(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hook.secret"), []byte(hookSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	a := start(t, write(t, dir, strings.Replace(orders(s.address), "    settle:", "    admission: {concurrency: 100}\n    receipt: {webhook: {url: http://127.0.0.1:9/, secret: {file: hook.secret}}}\n    settle:", 1)))
	place(t, a, "1", `{"no":"A"}`)
	s.close()
	place(t, a, "1", `{"no":"A"}`) // so that there is something to forecast
	served := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (holdfast_\w+) `).FindAllStringSubmatch(scrape(t, a), -1) {
		served[m[1]] = true
	}
	text, err := os.ReadFile("../../docs/admin-api.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, name := range regexp.MustCompile(`holdfast_relay_\w+`).FindAllString(string(text), -1) {
		documented[name] = true
	}
	for name := range served {
		if !documented[name] {
			t.Errorf("%s is served but not documented", name)
		}
	}
	for name := range documented {
		if !served[name] && !strings.HasSuffix(name, "_forecast_seconds") && !strings.Contains(name, "_line_") && !strings.HasSuffix(name, "_amount") && !strings.HasPrefix(name, "holdfast_relay_check_") { // there is none
			t.Errorf("%s is documented but not served", name)
		}
	}
}
