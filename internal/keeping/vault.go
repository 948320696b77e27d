package keeping

import (
	"context"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"
)

// Vault captures sets of data, proves what was captured and knows what there is.
type Vault interface {
	// Capture makes a full backup or, of a set with deltas, what changed; where that needs
	// a full one first, it makes one.
	Capture(ctx context.Context, set Set, work string, report backup.Report) (Captured, error)
	// Follow copies changes as they happen until ctx ends or it fails. safe is called, often,
	// with a moment before which all changes are on a target.
	Follow(ctx context.Context, set Set, safe func(time.Time)) error
	// Verify restores a backup and compares it with what was recorded at its capture; with
	// no piece, the newest that can be. It fails where it could not find out.
	Verify(ctx context.Context, set Set, piece string, report backup.Report) (Verdict, error)
	// Prune removes what need not be kept.
	Prune(ctx context.Context, set Set) (removed int, err error)
	// Holdings are what those targets have of a set that can be asked.
	Holdings(ctx context.Context, set Set) (Holdings, error)
}

// Captured is what a capture made.
type Captured struct {
	Manifest backup.Manifest
	Targets  []continuity.TargetResult
}

// Verdict is what a restore for proof's sake found.
type Verdict struct {
	Piece  string
	Taken  time.Time // of the piece
	Proven continuity.Proven
}

// Holdings are what there is of a set.
type Holdings struct {
	Backups []continuity.Backup // full ones and deltas, by their keys
	Faults  []continuity.BackupFault
	Away    []continuity.TargetResult // that could not be asked: what they have is as it was
}
