package journal

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"holdfast/internal/continuity"
)

const (
	checkpointPrefix = "checkpoint-"
	keepCheckpoints  = 2
)

func checkpointName(at continuity.Position) string {
	return fmt.Sprintf("%s%016x", checkpointPrefix, uint64(at))
}

func parseCheckpointName(name string) (at continuity.Position, ok bool) {
	digits, ok := strings.CutPrefix(name, checkpointPrefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 16, 64)
	if err != nil || checkpointName(continuity.Position(n)) != name {
		return 0, false
	}
	return continuity.Position(n), true
}

// Checkpoints keeps snapshots of what was read from a journal, so that not
// everything has to be read again. They stand beside the journal's segments.
type Checkpoints struct {
	f  *Files
	mu sync.Mutex
}

// Checkpoints returns the store of this journal's checkpoints.
func (f *Files) Checkpoints() *Checkpoints { return &Checkpoints{f: f} }

// Save keeps what write writes as the state at a position, on stable storage,
// and removes all but the newest two checkpoints. It takes constant memory.
// An error leaves the checkpoints as they were.
func (c *Checkpoints) Save(at continuity.Position, write func(io.Writer) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.f.Latched(); err != nil {
		return ErrLatched
	}
	if end := c.f.End(); at > end {
		return fmt.Errorf("%w: checkpoint at %x, behind the end %x", ErrPosition, uint64(at), uint64(end))
	}
	name := checkpointName(at)
	tmp := name + tmpSuffix
	if err := c.write(tmp, at, write); err != nil {
		return fmt.Errorf("journal: checkpoint: %w", errors.Join(err, c.f.fs.Remove(tmp)))
	}
	if err := c.f.fs.Rename(tmp, name); err != nil {
		return fmt.Errorf("journal: checkpoint: %w", errors.Join(err, c.f.fs.Remove(tmp)))
	}
	if err := c.f.syncDir(); err != nil {
		return err
	}
	return c.prune()
}

func (c *Checkpoints) write(tmp string, at continuity.Position, write func(io.Writer) error) (err error) {
	file, err := c.f.fs.Create(tmp)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w, err := newCheckpointWriter(file, c.f.ring, c.f.id, at)
	if err != nil {
		return err
	}
	if err := write(w); err != nil {
		return err
	}
	if err := w.flush(lastChunk); err != nil {
		return err
	}
	return file.SyncAll()
}

func (c *Checkpoints) prune() error {
	list, err := c.list()
	if err != nil {
		return err
	}
	for _, at := range list[min(len(list), keepCheckpoints):] {
		if err := c.f.fs.Remove(checkpointName(at)); err != nil {
			return err
		}
	}
	return nil
}

// list returns the positions of the checkpoints, newest first.
func (c *Checkpoints) list() ([]continuity.Position, error) {
	names, err := c.f.fs.List()
	if err != nil {
		return nil, err
	}
	var list []continuity.Position
	for _, name := range names {
		if at, ok := parseCheckpointName(name); ok {
			list = append(list, at)
		}
	}
	slices.Sort(list)
	slices.Reverse(list)
	return list, nil
}

// Oldest returns the position of the oldest checkpoint kept, 0 where there is
// none. What stands from there on must not be retired, so that the older
// checkpoint is of use when the newer one is damaged.
func (c *Checkpoints) Oldest() (continuity.Position, error) {
	list, err := c.list()
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return list[len(list)-1], nil
}

// Load reads the newest whole checkpoint. It is checked to its end first, so
// that read is called at most once, and never with a damaged one; not at all
// where there is none of use. A checkpoint behind the journal's end is
// ErrDamaged: the journal has lost what it had.
func (c *Checkpoints) Load(read func(at continuity.Position, r io.Reader) error) error {
	list, err := c.list()
	if err != nil {
		return err
	}
	for _, at := range list {
		name := checkpointName(at)
		if end := c.f.End(); at > end {
			return damaged(name, 0, fmt.Errorf("the journal ends at %x, before this checkpoint", uint64(end)))
		}
		if at < c.f.Start() {
			c.f.log.Warn("checkpoint is older than the journal", "file", name)
			continue
		}
		if err := checkCheckpoint(c.f.fs, name, at, c.f.id); err != nil {
			c.f.log.Warn("checkpoint is damaged, trying an older one", "file", name, "error", err)
			continue
		}
		return c.read(name, at, read)
	}
	return nil
}

func (c *Checkpoints) read(name string, at continuity.Position, read func(at continuity.Position, r io.Reader) error) error {
	file, err := c.f.fs.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	r, err := newCheckpointReader(file)
	if err != nil {
		return damaged(name, 0, err)
	}
	keys, err := r.header.ciphers(c.f.ring)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if r, err = newCheckpointReader(file); err != nil {
			return damaged(name, 0, err)
		}
		r.key = key
		if err = r.next(); !errors.Is(err, errSeal) {
			break
		}
	}
	if err != nil {
		return err
	}
	return read(at, r)
}

var errOther = errors.New("the checkpoint is of another journal or position")

// checkCheckpoint reads a checkpoint to its end; it needs no key.
func checkCheckpoint(dir FS, name string, at continuity.Position, id journalID) error {
	file, err := dir.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	r, err := newCheckpointReader(file)
	if err != nil {
		return damaged(name, 0, err)
	}
	if r.header.id != id || r.header.at != at {
		return damaged(name, 0, errOther)
	}
	if err := r.check(); err != nil {
		return damaged(name, r.off, err)
	}
	return nil
}
