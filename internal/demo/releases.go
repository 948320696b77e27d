package demo

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/demo/postgres"
	"holdfast/internal/loopback"
)

// oldRelease of the shop runs when a story of an upgrade begins.
const oldRelease = "v1"

// recount is how soon after its start a release counts totals anew, which takes minutes
// elsewhere.
const recount = 15 * time.Second

// bake is how long a new release is watched, as the plan says; elsewhere a day.
const bake = 30 * time.Second

// serve starts the PostgreSQL of a shop that is upgraded. Its folder is not in the
// world's: where this is root, the server's user has to get there. Restores are tried
// beside it, as that user, too.
func (w *World) serve() (err error) {
	if w.at.Postgres, err = loopback.Address(); err != nil {
		return err
	}
	if w.at.Beside, err = os.MkdirTemp("", "holdfast-demo-postgres-"); err != nil {
		return err
	}
	if err := os.Chmod(w.at.Beside, 0o711); err != nil { // #nosec G302 -- passing through is not reading
		return err
	}
	for _, place := range []string{"near", "far"} { // of backups: who makes them makes no places
		if err := os.Mkdir(filepath.Join(w.Folder, place), 0o700); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if w.Server, err = postgres.Start(ctx, w.spawner, filepath.Join(w.at.Beside, "server"), w.at.Postgres); err != nil {
		if errors.Is(err, postgres.ErrMissing) {
			return continuity.E(continuity.CodeInvalid, nil, "detail_id", "demo.no-postgres")
		}
		return err
	}
	if w.DB.DSN, err = w.Server.Database(ctx, Service); err != nil {
		return err
	}
	return w.put(oldRelease)
}

// put has the shop be of another release when it is started next.
func (w *World) put(release string) error {
	return os.WriteFile(filepath.Join(w.Folder, "release"), []byte(release), 0o600)
}

// release is which one that is.
func (w *World) release() string {
	text, err := os.ReadFile(filepath.Join(w.Folder, "release"))
	if err != nil {
		return oldRelease
	}
	return strings.TrimSpace(string(text))
}

// makeKeys makes the keys of the backups.
func (w *World) makeKeys() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := w.Holdfast(ctx, "backup", "keys", "new", "--key-file", "backup.keys")
	return err
}
