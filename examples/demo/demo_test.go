package main

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"holdfast/internal/catalogue"
	"holdfast/internal/config"
	"holdfast/internal/demo/customers"
	"holdfast/internal/pgtest"
	"holdfast/internal/yamldoc"
)

func TestRelayConfigIsGood(t *testing.T) {
	w := &world{relayAddr: "127.0.0.1:1", adminAddr: "127.0.0.1:2", shopAddr: "127.0.0.1:3", db: customers.Database{File: "/tmp/a b.db"}}
	w.options.capacity = 500
	for name, dsn := range map[string]string{"sqlite": "", "postgres": "postgres://u@127.0.0.1:5/db?sslmode=disable"} {
		w.db.DSN = dsn
		for _, p := range config.Check("relay.yaml", []byte(w.relayConfig())) {
			if p.Severity == yamldoc.Warning {
				continue
			}
			t.Errorf("%s: %d:%d: %s", name, p.Line, p.Column, p.Text(catalogue.En))
		}
	}
}

// TestDemo plays the whole demo with the real programs, on a small scale.
func TestDemo(t *testing.T) {
	for _, database := range []string{"sqlite", "postgresql"} {
		t.Run(database, func(t *testing.T) {
			bin, err := programs()
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			args := []string{"--bin", bin, "--dir", dir, "--json", "--rate", "60", "--lookups", "10",
				"--before", "2s", "--outage", "2s", "--after", "500ms"}
			if database == "postgresql" {
				args = append(args, "--dsn", pgtest.Database(t))
			}
			var stdout, stderr bytes.Buffer
			err = run(t.Context(), args, &stdout, &stderr)
			if err != nil {
				t.Fatalf("%v\n%s\n%s", err, stderr.String(), stdout.String())
			}
			var s score
			if err := json.Unmarshal(stdout.Bytes(), &s); err != nil {
				t.Fatal(err)
			}
			if !s.good() || s.Accepted == 0 || s.ShopOutage < 2 || s.Books.Sum == 0 {
				t.Errorf("score %+v", s)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

func TestCutCountsNoEscapes(t *testing.T) {
	for _, c := range []struct {
		line    string
		columns int
		want    string
	}{
		{"abcdef", 10, "abcdef"},
		{"abcdef", 4, "abc\x1b[0m"},
		{"\x1b[32mab\x1b[0mcdef", 10, "\x1b[32mab\x1b[0mcdef"},
		{"\x1b[32m██\x1b[0mcdef", 4, "\x1b[32m██\x1b[0mc\x1b[0m"},
	} {
		if got := cut(c.line, c.columns); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.line, c.columns, got, c.want)
		}
	}
}
