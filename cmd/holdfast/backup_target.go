package main

import (
	"context"
	"io"
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

// awayPlace is a place that could not be opened. Whatever is asked of it fails for that
// reason.
type awayPlace struct{ err error }

// Put implements engine.Place.
func (p awayPlace) Put(context.Context, string, io.Reader) error { return p.err }

// Open implements engine.Place.
func (p awayPlace) Open(context.Context, string) (io.ReadCloser, int64, error) { return nil, 0, p.err }

// List implements engine.Place.
func (p awayPlace) List(context.Context, string) ([]engine.Object, error) { return nil, p.err }

// Delete implements engine.Place.
func (p awayPlace) Delete(context.Context, string) error { return p.err }
