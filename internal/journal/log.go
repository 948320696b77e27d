package journal

import (
	"errors"
	"iter"

	"holdfast/internal/continuity"
)

// Entry is one record to append: its kind stays readable without a key, its
// payload does not.
type Entry struct {
	Kind    continuity.Kind
	Payload []byte
}

// Stored is an entry as it stands in the log.
type Stored struct {
	Entry
	Position continuity.Position
	Next     continuity.Position // where the entry after it begins, if it is there
}

// Log is the seam between the ledger and stable storage: append a batch, read
// from a position. A replicated log can take the place of the segmented file
// log; the conformance suite in journaltest holds for every implementation.
//
// Append is called by one goroutine at a time; the rest may be called at any
// time from any goroutine.
type Log interface {
	// Append puts the batch on stable storage, in order, and returns the
	// position of each entry. On ErrFull nothing was written, and a later call
	// may succeed. Any other error means that the outcome is unknown: the log
	// is latched, and every later Append returns ErrLatched.
	Append(batch []Entry) ([]continuity.Position, error)
	// Read returns the entry at a position that Append or All gave.
	// It returns ErrGone where the segment has been retired.
	Read(at continuity.Position) (Stored, error)
	// All yields every durable entry from a position on (0: the oldest kept),
	// up to the end as it was when All was called. It ends at the first error.
	All(from continuity.Position) iter.Seq2[Stored, error]
	// Start is the position of the oldest entry kept, End the position after
	// the last durable entry.
	Start() continuity.Position
	End() continuity.Position
	// Retire forgets every segment that lies wholly below a position, by
	// destroying its data key; the file is recycled.
	Retire(below continuity.Position) error
	// Room tells how many bytes of payload can still be appended, with the
	// file system as it is, and how many bytes the log takes on disk.
	Room() (free, used int64)
	// Reserve asks that free stay at least n bytes, so that what is promised
	// can be recorded even if the disk fills up. It returns ErrFull if it can't.
	Reserve(n int64) error
	Close() error
}

// Errors of a log.
var (
	ErrFull    = errors.New("journal: no room on disk")
	ErrLatched = errors.New("journal: latched after a failed write or sync")
	ErrGone    = errors.New("journal: retired")
	ErrDamaged = errors.New("journal: damaged")
	ErrLocked  = errors.New("journal: open in another process")
	ErrNoKey   = errors.New("journal: the master key does not open this journal")
)
