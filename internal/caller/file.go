package caller

import (
	"bufio"
	"bytes"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is how often a file is looked at for changes, while somebody asks.
const lookEvery = time.Second

// file is what a file says, read again when it changes. While the file can't be
// read, what it said before stands.
type file[T any] struct {
	path  string
	parse func([]byte) (T, error)
	log   *slog.Logger
	now   func() time.Time

	state atomic.Pointer[contents[T]]
	mu    sync.Mutex // one reader at a time
}

type contents[T any] struct {
	value  T
	known  bool
	looked time.Time
	stamp  time.Time
	size   int64
}

func newFile[T any](path string, o Options, parse func([]byte) (T, error)) *file[T] {
	f := &file[T]{path: path, parse: parse, log: o.Logger, now: o.Now}
	f.state.Store(&contents[T]{})
	f.get()
	return f
}

// get returns what the file says; false where that was never known.
func (f *file[T]) get() (T, bool) {
	c, now := f.state.Load(), f.now()
	if d := now.Sub(c.looked); d >= lookEvery || d < 0 {
		if f.mu.TryLock() {
			c = f.look(f.state.Load(), now)
			f.state.Store(c)
			f.mu.Unlock()
		}
	}
	return c.value, c.known
}

func (f *file[T]) look(before *contents[T], now time.Time) *contents[T] {
	next := *before
	next.looked = now
	info, err := os.Stat(f.path)
	if err == nil && before.known && info.ModTime().Equal(before.stamp) && info.Size() == before.size {
		return &next
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(f.path) // #nosec G304 -- the operator names the file
	}
	var value T
	if err == nil {
		value, err = f.parse(text)
	}
	if err != nil {
		if before.looked.IsZero() || now.Sub(before.looked) < time.Minute && before.known {
			f.log.Warn("a file that callers are verified by can't be read; what it said before stands", "file", f.path, "error", err)
		}
		return &next
	}
	if before.known {
		f.log.Info("a file that callers are verified by has changed", "file", f.path)
	}
	return &contents[T]{value: value, known: true, looked: now, stamp: info.ModTime(), size: info.Size()}
}

// lines cuts a file of name:value lines; comments begin with #.
func lines(text []byte, each func(name, value string, number int) error) error {
	scan := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; scan.Scan(); n++ {
		line := strings.TrimSpace(scan.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		if err := each(strings.TrimSpace(name), strings.TrimSpace(value), n); err != nil {
			return err
		}
	}
	return scan.Err()
}
