package control

import (
	"strings"

	"holdfast/internal/checkmark"
	"holdfast/internal/continuity"
	"holdfast/internal/secret"
)

// markKey reads the key that marks requests of checks. A node that was told to
// mark them does not start without it: a relay would keep what it sends, and
// deliver it later.
func markKey(from secret.Source, ref secret.Ref) ([]byte, error) {
	text, err := from.Resolve(ref)
	if err != nil {
		return nil, err
	}
	key := strings.TrimSpace(text.Reveal())
	if len(key) < checkmark.LeastKey {
		return nil, continuity.E(continuity.CodeSecret, nil, "reference", ref.String(), "why", "short", "least", checkmark.LeastKey)
	}
	return []byte(key), nil
}

// MarkKey reads such a key from a probe node's own secrets, by its name there.
func MarkKey(from secret.Source, name string) ([]byte, error) {
	return markKey(from, secret.Ref{Name: name})
}
