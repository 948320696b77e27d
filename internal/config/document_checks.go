package config

import (
	"holdfast/internal/checkmark"
	"holdfast/internal/continuity"
)

type checksBlock struct {
	block
	Mark fileOrEnvBlock `yaml:"mark"`
}

func checkChecks(f *findings, b *checksBlock) { checkSecret(f, &b.Mark, "checks.mark") }

// markSecret reads the key of marks. What is wrong with it is a warning: then no
// mark is believed.
func markSecret(f *findings, b *checksBlock, dir string, relay *Relay) {
	if !b.Mark.File.Set && !b.Mark.Env.Set {
		return
	}
	text, ok := secretText(f, "checks.mark", b.Mark.File, b.Mark.Env, dir)
	switch {
	case !ok:
		f.Warning(b.Mark.At, "config.marks-off")
	case len(text) < checkmark.LeastKey:
		f.Warning(b.Mark.At, "config.marks-short", "least", checkmark.LeastKey)
	default:
		relay.Transport.Marks = continuity.Secret(text)
	}
}
