package main

import (
	"testing"

	"holdfast/internal/catalogue"
	"holdfast/internal/config"
)

func TestRelayConfigIsGood(t *testing.T) {
	w := &world{relayAddr: "127.0.0.1:1", adminAddr: "127.0.0.1:2", shopAddr: "127.0.0.1:3", db: database{file: "/tmp/a b.db"}}
	w.options.capacity = 500
	for name, dsn := range map[string]string{"sqlite": "", "postgres": "postgres://u@127.0.0.1:5/db?sslmode=disable"} {
		w.db.dsn = dsn
		for _, p := range config.Check("relay.yaml", []byte(w.relayConfig())) {
			if p.Severity == config.Warning {
				continue
			}
			t.Errorf("%s: %d:%d: %s", name, p.Line, p.Column, p.Text(catalogue.En))
		}
	}
}
