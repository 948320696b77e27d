package ledger_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"iter"
	"slices"
	"sync"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
)

// memLog is a Log in memory, for what needs no disk. Positions step by 10.
type memLog struct {
	mu      sync.Mutex
	entries []journal.Stored
	start   continuity.Position
	free    int64
	fail    error // the next Append fails with it
	largest int   // payload of an entry; 0: any
	batches int
	reads   int
	hold    chan struct{} // if set, Append waits until it is closed
}

func newMemLog() *memLog { return &memLog{start: 10, free: 1 << 40} }

func (m *memLog) Append(batch []journal.Entry) ([]continuity.Position, error) {
	m.mu.Lock()
	hold := m.hold
	m.mu.Unlock()
	if hold != nil {
		<-hold
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		err := m.fail
		if errors.Is(err, journal.ErrFull) {
			m.fail = nil
		}
		return nil, err
	}
	for _, e := range batch {
		if m.largest > 0 && len(e.Payload) > m.largest {
			return nil, journal.ErrEntry
		}
	}
	m.batches++
	var at []continuity.Position
	for _, e := range batch {
		p := m.end()
		e.Payload = slices.Clone(e.Payload)
		m.entries = append(m.entries, journal.Stored{Entry: e, Position: p, Next: p + 10})
		m.free -= int64(len(e.Payload))
		at = append(at, p)
	}
	return at, nil
}

func (m *memLog) end() continuity.Position {
	if n := len(m.entries); n > 0 {
		return m.entries[n-1].Next
	}
	return m.start
}

func (m *memLog) Read(at continuity.Position) (journal.Stored, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	if at < m.start {
		return journal.Stored{}, journal.ErrGone
	}
	i := int(at-m.entries[0].Position) / 10
	return m.entries[i], nil
}

func (m *memLog) All(from continuity.Position) iter.Seq2[journal.Stored, error] {
	m.mu.Lock()
	entries := slices.Clone(m.entries)
	m.mu.Unlock()
	return func(yield func(journal.Stored, error) bool) {
		for _, e := range entries {
			if e.Position >= from && !yield(e, nil) {
				return
			}
		}
	}
}

func (m *memLog) Start() continuity.Position {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.start
}

func (m *memLog) End() continuity.Position {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.end()
}

func (m *memLog) Retire(below continuity.Position) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries = slices.DeleteFunc(m.entries, func(s journal.Stored) bool { return s.Position < below })
	m.start = max(m.start, below)
	return nil
}

func (m *memLog) Room() (free, used int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.free, 0
}

func (m *memLog) Spare() int64 { return 0 }

func (m *memLog) Reserve(n int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n > m.free {
		return journal.ErrFull
	}
	return nil
}

func (m *memLog) Close() error { return nil }

// stall has Append wait until the returned function is called.
func (m *memLog) stall() (goOn func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	hold := make(chan struct{})
	m.hold = hold
	return func() {
		m.mu.Lock()
		m.hold = nil
		m.mu.Unlock()
		close(hold)
	}
}

// memCheckpoints keeps the two newest snapshots in memory.
type memCheckpoints struct{ newest, older saved }

type saved struct {
	at   continuity.Position
	data []byte
}

func (c *memCheckpoints) Save(at continuity.Position, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	c.newest, c.older = saved{at, b.Bytes()}, c.newest
	return nil
}

func (c *memCheckpoints) Load(read func(continuity.Position, io.Reader) error) error {
	if c.newest.data == nil {
		return fs.ErrNotExist
	}
	return read(c.newest.at, bytes.NewReader(c.newest.data))
}
