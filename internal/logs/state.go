package logs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"holdfast/internal/durable"
)

// saveEvery is how often what was read and learnt is written down. What comes
// after it is read again by the next process, and counts once all the same.
const saveEvery = 5 * time.Second

// state is what outlives a process.
type state struct {
	Glob      string     `json:"glob"`
	Began     time.Time  `json:"began"`
	LastLine  time.Time  `json:"last_line"`
	Counts    Counts     `json:"counts"`
	Marks     []mark     `json:"marks"`
	Templates []Template `json:"templates"`
}

func (f *follower) file() string { return filepath.Join(f.dir, url.PathEscape(f.options.ID)+".json") }

// load takes up where an earlier process was. A state of other files counts
// nothing here.
func (f *follower) load() error {
	if f.dir == "" {
		return nil
	}
	text, err := os.ReadFile(f.file())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		// Better to learn anew than not to look: the file is left for whoever wonders.
		f.trouble = fmt.Errorf("logs: %s: %w", f.file(), err)
		return os.Rename(f.file(), f.file()+".damaged")
	}
	if s.Glob != f.options.Glob {
		return nil
	}
	f.began, f.lastLine, f.counts, f.marks, f.first = s.Began, s.LastLine, s.Counts, s.Marks, false
	f.miner.restore(s.Templates)
	f.miner.gone = s.Counts.Evicted
	return nil
}

// save writes the state as a whole: what was counted, and up to where that is.
func (f *follower) save(now time.Time) {
	f.saved = now
	if f.dir == "" {
		f.dirty = false
		return
	}
	f.mu.Lock()
	s := state{Glob: f.options.Glob, Began: f.began, LastLine: f.lastLine, Counts: f.counts, Templates: f.miner.all()}
	f.mu.Unlock()
	s.Marks = append(s.Marks, f.marks...)
	for _, t := range f.tails {
		s.Marks = append(s.Marks, t.mark)
	}
	if over := len(s.Marks) - 2*maxFiles; over > 0 {
		s.Marks = s.Marks[over:] // of files that are gone for long
	}
	text, err := json.Marshal(s)
	if err == nil {
		if err = os.MkdirAll(f.dir, 0o700); err == nil {
			err = durable.Replace(f.file(), text)
		}
	}
	if err != nil {
		f.mu.Lock()
		f.trouble = err
		f.mu.Unlock()
		return
	}
	f.dirty = false
}

func fileID(device, inode uint64) string { return fmt.Sprintf("%x:%x", device, inode) }
