package journaltest

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"holdfast/internal/journal"
)

const sector = 512

// ErrCrashed is what every operation returns from the crash on.
var ErrCrashed = errors.New("journaltest: crashed")

// Loss says what a crash makes of what was not synced.
type Loss uint8

// The levels of loss.
const (
	DropAll Loss = iota // nothing of it is on disk
	Random              // any sectors, any names, in any of their versions since the last sync
	KeepAll             // everything is
)

// String returns the level's name.
func (l Loss) String() string { return [...]string{"drop all", "random", "keep all"}[l] }

// OpKind is a kind of operation that changes something.
type OpKind uint8

// The kinds of operations.
const (
	OpWrite OpKind = iota + 1
	OpSync
	OpCreate
	OpRename
	OpRemove
	OpSyncDir
	OpTruncate
)

// Op is one operation, numbered from 1 over the life of the file system.
type Op struct {
	N    int
	Kind OpKind
	Name string // the file's name when it was opened; empty for the directory
}

// CrashFS is a file system in memory that forgets at a crash what a disk may
// forget: writes that were not synced, by sectors and in any order, and names
// that were not synced with the directory. A sync that fails marks pages clean,
// as Linux does: the next one succeeds and the data is lost at the crash.
// What uses it is given a Process.
type CrashFS struct {
	mu       sync.Mutex
	random   *rand.Rand
	names    map[string]*inode // as processes see them
	disk     map[string]*inode
	pending  []rename // since the directory was synced
	locks    map[string]bool
	life     int // grows with every crash and kill: older handles are dead
	ops      int
	crashAt  int
	crashed  bool
	capacity int64
	fault    func(Op) error
	lies     map[OpKind]bool
}

// inode is a file. cache is what processes see; dirty has every version of the
// sectors written since the last sync.
type inode struct {
	cache []byte
	disk  []byte
	dirty map[int][][]byte
}

// rename is a change of names: a creation has no from, a removal no to.
type rename struct {
	from, to string
	file     *inode
}

// NewCrashFS makes an empty file system; the seed decides what Random loses.
func NewCrashFS(seed uint64) *CrashFS {
	return &CrashFS{
		random: rand.New(rand.NewPCG(seed, 0x10557)), // #nosec G404 -- a test's choice
		names:  map[string]*inode{}, disk: map[string]*inode{}, locks: map[string]bool{},
		capacity: 1 << 40,
	}
}

// CrashAt has the nth operation from now fail half done, and all after it.
func (c *CrashFS) CrashAt(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.crashAt = c.ops + n
}

// Ops tells how many operations there were.
func (c *CrashFS) Ops() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ops
}

// Crashed reports whether the crash asked for has come.
func (c *CrashFS) Crashed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.crashed
}

// Inject asks fault before every operation. An error makes the operation fail:
// a write after a part of it, a sync with what it should have synced lost.
func (c *CrashFS) Inject(fault func(Op) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault = fault
}

// Lie has operations of a kind, OpSync or OpSyncDir, succeed without effect.
func (c *CrashFS) Lie(kind OpKind) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lies = map[OpKind]bool{kind: true}
}

// SetCapacity bounds the bytes of all files.
func (c *CrashFS) SetCapacity(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.capacity = n
}

// Crash cuts the power and gives it back: every handle is dead, and what was
// not synced is lost as the level says.
func (c *CrashFS) Crash(loss Loss) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.pending {
		if loss == KeepAll || loss == Random && c.random.IntN(2) == 0 {
			c.commit(r)
		}
	}
	c.pending = nil
	seen := map[*inode]bool{}
	for _, name := range slices.Sorted(maps.Keys(c.disk)) {
		if f := c.disk[name]; !seen[f] {
			seen[f] = true
			f.crash(loss, c.random)
		}
	}
	c.names = maps.Clone(c.disk)
	c.restart()
}

// Kill ends the process that used the file system, and nothing else: what it
// wrote is still in the page cache, synced or not.
func (c *CrashFS) Kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.restart()
}

func (c *CrashFS) restart() {
	c.life++
	c.locks = map[string]bool{}
	c.crashed, c.crashAt, c.fault = false, 0, nil
}

func (f *inode) crash(loss Loss, r *rand.Rand) {
	switch loss {
	case KeepAll:
		f.sync()
	case Random:
		size := len(f.disk)
		if r.IntN(2) == 0 {
			size = len(f.cache)
		}
		f.disk = resize(f.disk, size)
		for _, n := range slices.Sorted(maps.Keys(f.dirty)) {
			if k := r.IntN(len(f.dirty[n]) + 1); k > 0 && n*sector < size {
				copy(f.disk[n*sector:], f.dirty[n][k-1])
			}
		}
	}
	f.cache, f.dirty = slices.Clone(f.disk), nil
}

func resize(b []byte, n int) []byte {
	if n <= len(b) {
		return b[:n]
	}
	return append(b, make([]byte, n-len(b))...)
}

// sync puts the dirty sectors, and only these, on disk: what a failed sync lost
// stays lost.
func (f *inode) sync() {
	f.disk = resize(f.disk, len(f.cache))
	for n := range f.dirty {
		end := min((n+1)*sector, len(f.cache))
		if n*sector >= end {
			continue // cut off meanwhile
		}
		copy(f.disk[n*sector:end], f.cache[n*sector:end])
	}
	f.dirty = nil
}

func (f *inode) write(p []byte, off int64) {
	end := int(off) + len(p)
	if end > len(f.cache) {
		f.cache = resize(f.cache, end)
	}
	copy(f.cache[off:], p)
	if f.dirty == nil {
		f.dirty = map[int][][]byte{}
	}
	for n := int(off) / sector; n*sector < end; n++ {
		version := slices.Clone(f.cache[n*sector : min((n+1)*sector, len(f.cache))])
		f.dirty[n] = append(f.dirty[n], version)
	}
}

func (c *CrashFS) commit(r rename) {
	if r.to == "" {
		if c.disk[r.from] == r.file {
			delete(c.disk, r.from)
		}
		return
	}
	maps.DeleteFunc(c.disk, func(_ string, f *inode) bool { return f == r.file }) // a file has one name
	c.disk[r.to] = r.file
}

// step counts an operation. partly reports that it is to fail half done.
func (c *CrashFS) step(life int, kind OpKind, name string) (err error, partly bool) {
	if c.crashed || life != c.life {
		return ErrCrashed, false
	}
	c.ops++
	if c.crashAt != 0 && c.ops >= c.crashAt {
		c.crashed = true
		return ErrCrashed, true
	}
	if c.fault != nil {
		if err := c.fault(Op{N: c.ops, Kind: kind, Name: name}); err != nil {
			return err, true
		}
	}
	return nil, false
}

func (c *CrashFS) used() (n int64) {
	for _, f := range c.names {
		n += int64(len(f.cache))
	}
	return n
}

// Open opens a file for a look, whatever process runs.
func (c *CrashFS) Open(name string) (journal.File, error) { return c.Process().Open(name) }

// Remove removes a file behind the back of whatever process runs.
func (c *CrashFS) Remove(name string) error { return c.Process().Remove(name) }

// List returns the names as processes see them.
func (c *CrashFS) List() ([]string, error) { return c.Process().List() }

func (c *CrashFS) change(r rename) {
	if r.from != "" {
		delete(c.names, r.from)
	}
	if r.to != "" {
		c.names[r.to] = r.file
	}
	c.pending = append(c.pending, r)
}

// Size returns a file's size.
func (c *CrashFS) Size(name string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(len(c.names[name].cache))
}

// Flip inverts one bit of a file, on disk.
func (c *CrashFS) Flip(name string, off int64, bit uint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.names[name]
	f.sync()
	f.cache[off] ^= 1 << bit
	f.disk[off] ^= 1 << bit
}

// Cut truncates a file, on disk.
func (c *CrashFS) Cut(name string, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.names[name]
	f.sync()
	f.cache, f.disk = f.cache[:size], f.disk[:size]
}

// Clone copies the file system as it is on disk and in the page cache; no
// handle and no lock comes along.
func (c *CrashFS) Clone() *CrashFS {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := NewCrashFS(c.random.Uint64())
	n.capacity = c.capacity
	copies := map[*inode]*inode{}
	duplicate := func(f *inode) *inode {
		if copies[f] == nil {
			copies[f] = &inode{cache: slices.Clone(f.cache), disk: slices.Clone(f.disk), dirty: maps.Clone(f.dirty)}
		}
		return copies[f]
	}
	for name, f := range c.names {
		n.names[name] = duplicate(f)
	}
	for name, f := range c.disk {
		n.disk[name] = duplicate(f)
	}
	for _, r := range c.pending {
		r.file = duplicate(r.file)
		n.pending = append(n.pending, r)
	}
	return n
}
