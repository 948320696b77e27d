package main

import (
	"context"
	"path/filepath"
	"strings"

	"holdfast/internal/backup/engine"
	"holdfast/internal/target/open"
)

// openTarget opens a place as it was typed, which is also its name. A folder may be
// named from where one stands.
func (c *cli) openTarget(ctx context.Context, address, credentials string) (engine.Target, error) {
	where := address
	if !strings.Contains(address, ":") {
		abs, err := filepath.Abs(address)
		if err != nil {
			return engine.Target{}, err
		}
		where = abs
	}
	var secret []byte
	if credentials != "" {
		var err error
		if secret, err = secretFile(credentials); err != nil {
			return engine.Target{}, err
		}
	}
	at, err := open.Target(ctx, where, string(secret))
	return engine.Target{Name: address, At: at}, err
}
