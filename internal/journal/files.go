package journal

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/keyring"
)

const (
	defaultSegment = 64 << 20
	minSegment     = 2 * headerBytes

	// idleAfter is how long after a batch the synced note is written.
	idleAfter = 100 * time.Millisecond
)

// Options say where and how a journal is kept.
type Options struct {
	Dir string
	FS  FS // nil: the directory Dir
	// SegmentBytes is below 4 GiB and taken down to whole pages; 0: 64 MiB, or
	// less where MaxBytes is small.
	SegmentBytes int64
	// MaxBytes bounds the space that is made ready for entries; 0: the disk
	// does. The first segment after a restart may exceed it, as a restart
	// gives up the rest of the segment before.
	MaxBytes int64
	Ring     *keyring.Ring
	Logger   *slog.Logger
}

// Recovered tells what was found when a journal was opened.
type Recovered struct {
	Created bool                // there was no journal
	End     continuity.Position // after the last entry
	Torn    *Tear               // what was cut, where that can be told
}

// Tear is the rest of a batch that was never acknowledged.
type Tear struct {
	File  string              `json:"file"`
	At    continuity.Position `json:"at"`
	Bytes int64               `json:"bytes"` // to the end of the last whole frame behind it; 0: none
}

// Files is the Log in segment files.
type Files struct {
	fs   FS
	ring *keyring.Ring
	id   journalID
	log  *slog.Logger
	lock io.Closer

	table atomic.Pointer[table]
	end   atomic.Uint64         // what End returns
	rest  atomic.Int64          // bytes the segment being written still takes
	latch atomic.Pointer[error] // set once

	supply  *supply
	erasing sync.Mutex // one at a time

	mu     sync.Mutex // one writer: Append, Retire, the synced note, Close
	active *segment   // nil until the first write after Open
	buf    []byte
	seal   sealer
	proven bool // nothing stands behind the last synced note
	closed bool
	idle   *time.Timer
}

var _ Log = (*Files)(nil)

// Open opens the journal of a directory, or creates one where there is none.
func Open(o Options) (_ *Files, rec Recovered, err error) {
	if err := o.complete(); err != nil {
		return nil, rec, err
	}
	lock, err := o.FS.Lock(lockName)
	if err != nil {
		return nil, rec, err
	}
	f := &Files{fs: o.FS, ring: o.Ring, log: o.Logger, lock: lock, proven: true}
	f.supply = newSupply(f, o.SegmentBytes, o.MaxBytes)
	f.table.Store(&table{first: 1})
	defer func() {
		if err != nil {
			f.release()
		}
	}()
	if rec, err = f.recover(); err != nil {
		return nil, rec, err
	}
	f.idle = time.AfterFunc(math.MaxInt64, f.prove)
	f.supply.start()
	return f, rec, nil
}

func (o *Options) complete() error {
	if o.Ring == nil {
		return fmt.Errorf("%w: there is none", ErrNoKey)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = defaultSegment
		if o.MaxBytes > 0 {
			o.SegmentBytes = min(defaultSegment, max(1<<20, o.MaxBytes/8))
		}
	}
	o.SegmentBytes &^= pageBytes - 1
	if o.SegmentBytes < minSegment || o.SegmentBytes > math.MaxUint32 {
		return fmt.Errorf("journal: segments of %d bytes: want at least %d and less than 4 GiB", o.SegmentBytes, minSegment)
	}
	if o.MaxBytes != 0 && o.MaxBytes < 4*o.SegmentBytes {
		return fmt.Errorf("journal: %d bytes in all are too few: want at least 4 segments of %d", o.MaxBytes, o.SegmentBytes)
	}
	if o.FS == nil {
		if err := makeDir(o.Dir); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		o.FS = Dir(o.Dir)
	}
	return nil
}

// Start is where the oldest entry kept stands, or will stand.
func (f *Files) Start() continuity.Position {
	return position(f.table.Load().first, firstEntry)
}

// End is the position after the last durable entry.
func (f *Files) End() continuity.Position { return continuity.Position(f.end.Load()) }

// Latched returns what latched the journal, or nil.
func (f *Files) Latched() error {
	if err := f.latch.Load(); err != nil {
		return *err
	}
	return nil
}

// fail latches the journal. It returns err.
func (f *Files) fail(err error) error {
	if f.latch.CompareAndSwap(nil, &err) {
		f.log.Error("journal latched", "error", err)
	}
	return err
}

// usable says whether a writer may go on; f.mu is held.
func (f *Files) usable() error {
	if f.closed {
		return ErrClosed
	}
	if f.latch.Load() != nil {
		return ErrLatched
	}
	return nil
}

// syncDir makes names durable, or latches: a later success would not tell
// whether the names of an earlier failure are.
func (f *Files) syncDir() error {
	if f.latch.Load() != nil {
		return ErrLatched
	}
	if err := f.fs.SyncDir(); err != nil {
		return f.fail(fmt.Errorf("journal: sync directory: %w", err))
	}
	return nil
}

// Close proves the last batch and lets go of the files.
func (f *Files) Close() error {
	f.supply.stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.idle.Stop()
	var err error
	if f.latch.Load() == nil {
		err = f.writeProof()
	}
	f.closed = true
	return errors.Join(err, f.release())
}

// release closes every file.
func (f *Files) release() error {
	var errs []error
	for _, s := range f.table.Load().segments {
		errs = append(errs, s.file.Close())
	}
	errs = append(errs, f.supply.release(), f.lock.Close())
	return errors.Join(errs...)
}
