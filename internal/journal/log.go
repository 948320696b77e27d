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
	Next     continuity.Position // give it to All for the entries after this one
}

// Log is the seam between the ledger and stable storage: append a batch, read
// from a position. A replicated log can take the place of the segmented file
// log; the conformance suite in journaltest holds for every implementation.
//
// Append is called by one goroutine at a time; the rest may be called at any
// time from any goroutine.
type Log interface {
	// Append puts the batch on stable storage, in order, and returns the
	// position of each entry. On ErrFull, ErrEntry and ErrClosed nothing was
	// written; after ErrFull a later call may succeed. Any other error means
	// that the outcome is unknown: the log is latched, and every later Append
	// returns ErrLatched.
	Append(batch []Entry) ([]continuity.Position, error)
	// Read returns the entry at a position that Append or All gave. It returns
	// ErrGone where the segment has been retired, ErrPosition where no durable
	// entry can be.
	Read(at continuity.Position) (Stored, error)
	// All yields every durable entry from a position on (0: the oldest kept;
	// else a Position, a Next, Start or End), up to the end as it was when the
	// loop began. It ends at the first error. Payloads are the caller's.
	All(from continuity.Position) iter.Seq2[Stored, error]
	// Start is the position of the oldest entry kept, End the position after
	// the last durable entry.
	Start() continuity.Position
	End() continuity.Position
	// Retire forgets every segment that lies wholly below a position, by
	// destroying its data key; the file is recycled.
	Retire(below continuity.Position) error
	// Room tells how many bytes of entries (Size of each payload) can still be
	// appended, with the file system as it is, and how many bytes the log takes
	// on disk.
	Room() (free, used int64)
	// Spare tells how many bytes of entries are in hand already, whatever becomes
	// of the file system: a part of Room that costs no question.
	Spare() int64
	// Reserve asks that room for n bytes of entries (Size of each payload) be
	// kept in hand, so that what is promised can be recorded even if the disk
	// fills up. It returns ErrFull if it can't. Append itself takes from this
	// room: call Reserve, with what is promised already and what is about to
	// be, before each batch that promises more.
	Reserve(n int64) error
	Close() error
}

// Errors of a log.
var (
	ErrFull     = errors.New("journal: no room on disk")
	ErrEntry    = errors.New("journal: an entry that no log can hold")
	ErrLatched  = errors.New("journal: latched after a failed write or sync")
	ErrGone     = errors.New("journal: retired")
	ErrPosition = errors.New("journal: no entry at this position")
	ErrDamaged  = errors.New("journal: damaged")
	ErrLocked   = errors.New("journal: open in another process")
	ErrNoKey    = errors.New("journal: the master key does not open this journal")
	ErrClosed   = errors.New("journal: closed")
)
