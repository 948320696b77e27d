package store

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"strings"

	"holdfast/internal/continuity"
)

//go:embed migrations/*.sql
var migrations embed.FS

// step is one migration; steps are numbered from 1.
type step struct {
	name string // 0001_state.sql
	text string
}

func steps() []step {
	entries, err := migrations.ReadDir("migrations")
	if err != nil {
		panic(err) // they are part of the program
	}
	var all []step
	for i, e := range entries {
		text, err := migrations.ReadFile("migrations/" + e.Name())
		if err != nil || !strings.HasPrefix(e.Name(), fmt.Sprintf("%04d_", i+1)) {
			panic(fmt.Sprint("migration ", e.Name(), " is not number ", i+1, err))
		}
		all = append(all, step{e.Name(), string(text)})
	}
	return all
}

func newest() int { return len(steps()) }

// lockNumber is PostgreSQL's advisory lock under which one node migrates.
const lockNumber = 0x686f6c6466617374 // "holdfast"

// migrate brings the database up to a version, all steps in one transaction:
// both databases take back what a failed one did to the schema.
func (s *Store) migrate(ctx context.Context, to int) error {
	return s.write(ctx, func(c conn) error {
		if s.d == postgres {
			if _, err := c.exec(ctx, `SELECT pg_advisory_xact_lock(?)`, int64(lockNumber)); err != nil {
				return err
			}
		}
		_, err := c.exec(ctx, s.d.schema(`CREATE TABLE IF NOT EXISTS migration (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, sum TEXT NOT NULL, at BIGINT NOT NULL)`))
		if err != nil {
			return err
		}
		done, err := applied(ctx, c)
		if err != nil {
			return err
		}
		for i, step := range steps()[:to] {
			if i < done {
				continue
			}
			if _, err := c.q.ExecContext(ctx, s.d.schema(step.text)); err != nil {
				return fmt.Errorf("migration %s: %w", step.name, err)
			}
			if _, err := c.exec(ctx, `INSERT INTO migration (version, name, sum, at) VALUES (?, ?, ?, ?)`, i+1, step.name, step.sum(), s.now().UnixMicro()); err != nil {
				return err
			}
		}
		return nil
	})
}

// applied counts the steps that the database has seen, and refuses one that has
// seen others.
func applied(ctx context.Context, c conn) (int, error) {
	all, n := steps(), 0
	err := c.each(ctx, func(scan func(...any) error) error {
		var version int
		var name, sum string
		if err := scan(&version, &name, &sum); err != nil {
			return err
		}
		n++
		if version > len(all) {
			return continuity.E(continuity.CodeState, fmt.Errorf("a newer program made the database: it has migration %s, this program knows %d", name, len(all)), "detail_id", "controlconfig.newer")
		}
		if version != n || all[n-1].sum() != sum {
			return continuity.E(continuity.CodeState, fmt.Errorf("the database has another migration %d than this program: %s", version, name), "detail_id", "controlconfig.foreign")
		}
		return nil
	}, `SELECT version, name, sum FROM migration ORDER BY version`)
	return n, err
}

func (m step) sum() string {
	sum := sha256.Sum256([]byte(m.text))
	return hex.EncodeToString(sum[:])
}
