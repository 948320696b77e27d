package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeyOfMarks(t *testing.T) {
	dir := t.TempDir()
	const head = "schema: holdfast/relay@1\nlisten: 127.0.0.1:0\nroutes: [{id: a, match: {path: /a}, upstream: 'http://127.0.0.1:1'}]\n"
	key := strings.Repeat("k", 32)
	for name, text := range map[string]string{"good": key + "\n", "short": "k\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOLDFAST_TEST_MARKS", " "+key)
	for _, c := range []struct{ text, key, problems string }{
		{"", "", ""},
		{"checks: {}", "", ""},
		{"checks: {mark: {file: good}}", key, ""},
		{"checks: {mark: {env: HOLDFAST_TEST_MARKS}}", key, ""},
		{"checks: {mark: {file: short}}", "", "config.marks-short"},
		{"checks: {mark: {file: none}}", "", "config.marks-off config.file-missing"},
		{"checks: {mark: {env: HOLDFAST_TEST_NO_MARKS}}", "", "config.marks-off config.env-missing"},
		{"checks: {mark: " + key + "}", "-", "config.secret-token"},
		{"checks: {mark: {file: good, env: HOME}}", "-", "config.token-form"},
	} {
		relay, problems, _ := Parse("relay.yaml", []byte(head+c.text), dir)
		var ids []string
		for _, p := range problems {
			if p.Line < 4 {
				continue
			}
			ids = append(ids, p.ID)
		}
		got := "-"
		if relay != nil {
			got = relay.Transport.Marks.Reveal()
		}
		if got != c.key || strings.Join(ids, " ") != c.problems {
			t.Errorf("%s: %q, %v", c.text, got, ids)
		}
	}
}
