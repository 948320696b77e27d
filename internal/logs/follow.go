package logs

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// mineEachSecond bounds of how many records in a second templates are made.
const mineEachSecond = 20000

// lingers is how long a file is kept open whose name went away: who wrote to it
// may do so until told to open the new one.
const lingers = 30 * time.Second

// settles is how long a record may still get lines.
const settles = time.Second

// Options say what a follower reads, and what it counts.
type Options struct {
	ID        string         // of the check
	Glob      string         // the files
	Pattern   *regexp.Regexp // lines that count; may be nil
	Templates bool           // find kinds of lines
	Learn     time.Duration  // how long nothing is new
	Encoding  string         // Auto, UTF8 or GBK
	Begins    *regexp.Regexp // a record's first line; nil: by how lines begin
	FromStart bool           // read what is there when it begins first
	Keep      time.Duration  // for how long back it is asked for figures
}

// Counts are what was counted since the follower began first, over restarts.
type Counts struct {
	Lines     int64 `json:"lines"`
	Records   int64 `json:"records"`
	Matched   int64 `json:"matched"`
	New       int64 `json:"new"`  // templates, after learning
	Rare      int64 `json:"rare"` // records of templates that are rare, after learning
	Binary    int64 `json:"binary"`
	Unmined   int64 `json:"unmined"` // records beyond what templates are made of
	Truncated int64 `json:"truncated"`
	Rotated   int64 `json:"rotated"`
	Evicted   int64 `json:"evicted"` // templates
}

// moment is what was counted within a second.
type moment struct {
	at                 time.Time
	matched, new, rare int64
}

// follower reads files as they grow. Its fields are its own goroutine's, but for
// what mu guards.
type follower struct {
	options Options
	dir     string // of its state; empty: none is kept
	in      folders

	mu       sync.Mutex
	counts   Counts
	began    time.Time // when it began to learn
	running  time.Time // when this process began to read
	lastLine time.Time
	moments  []moment
	miner    *miner
	files    int   // that are there
	trouble  error // why a file can't be read
	behind   bool  // there is more to be read

	tails  map[string]*tail // by device and inode
	marks  []mark           // of files that are not open
	former []mark           // of files that were found with another content
	buffer []byte
	second time.Time // of mined
	mined  int
	saved  time.Time
	dirty  bool
	first  bool // nothing was ever read
	whole  bool // templates are made of all records
}

func newFollower(o Options, dir string) (*follower, error) {
	if o.Encoding == "" {
		o.Encoding = Auto
	}
	f := &follower{options: o, dir: dir, tails: map[string]*tail{}, buffer: make([]byte, chunk), miner: newMiner(maxTemplates), first: true}
	if _, err := filepath.Match(o.Glob, ""); err != nil {
		return nil, err
	}
	return f, f.load()
}

func (f *follower) newFolder() folder { return folder{begins: f.options.Begins} }

// poll reads what was written since it was called last.
func (f *follower) poll(now time.Time) {
	files, err := f.in.find(f.options.Glob)
	f.mu.Lock()
	if f.running.IsZero() {
		f.running = now
	}
	if f.began.IsZero() {
		f.began = now
	}
	f.files, f.trouble, f.behind = len(files), err, false
	f.mu.Unlock()
	here := map[string]bool{}
	// Those that are known come first: what is left may be copies of them, or have
	// taken their place.
	slices.SortStableFunc(files, func(a, b found) int { return cmp.Compare(f.rank(a), f.rank(b)) })
	for _, file := range files {
		id := fileID(file.device, file.inode)
		here[id] = true
		t := f.tails[id]
		if t == nil {
			if t = f.begin(file, now); t == nil {
				continue
			}
			f.tails[id] = t
		}
		t.Path = file.path
	}
	f.first, f.former = false, nil
	for id, t := range f.tails {
		if !here[id] && !t.gone {
			f.count(func(c *Counts) { c.Rotated++ })
		}
		t.gone = !here[id]
		f.read(t, now)
		if t.gone && now.Sub(t.grew) >= lingers {
			f.end(id, t, now)
		}
	}
	f.settle(now)
}

// begin opens a file that is not followed yet.
func (f *follower) begin(file found, now time.Time) *tail {
	known, m := f.known(file)
	t, same, err := f.in.open(file.path, m)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			f.mu.Lock()
			f.trouble = err
			f.mu.Unlock()
		}
		return nil
	}
	t.folder, t.grew = f.newFolder(), now
	switch {
	case same && known: // read on from there
	case f.copied(t): // another file's content was copied: it was read up to there
	case f.first && !f.options.FromStart:
		t.skip(file.size)
	default:
		f.catchUp(now)
	}
	if known && !same {
		f.former = append(f.former, m)
	}
	f.dirty = true
	return t
}

func (f *follower) rank(file found) int {
	if f.tails[fileID(file.device, file.inode)] != nil || slices.ContainsFunc(f.marks, func(m mark) bool { return m.Device == file.device && m.Inode == file.inode }) {
		return 0
	}
	return 1
}

// known is the mark of a file: of the same inode.
func (f *follower) known(file found) (bool, mark) {
	for i, m := range f.marks {
		if m.Device == file.device && m.Inode == file.inode {
			f.marks = append(f.marks[:i], f.marks[i+1:]...)
			return true, m
		}
	}
	return false, mark{}
}

// copied recognises a file that begins as one that is followed does, and was
// made of it before that was truncated.
func (f *follower) copied(t *tail) bool {
	marks := slices.Concat(f.former, f.marks)
	for _, o := range f.tails {
		marks = append(marks, o.mark)
	}
	info, err := t.file.Stat()
	if err != nil {
		return false
	}
	for _, m := range marks {
		if m.Known == 0 || info.Size() < m.Offset {
			continue
		}
		if sum, n, err := first(t.file, m.Known); err == nil && n == m.Known && sum == m.First {
			t.First, t.Known, t.Offset = m.First, m.Known, m.Offset
			t.read, t.ends = m.Offset, m.Offset
			return true
		}
	}
	return false
}

// catchUp is for a file that took the place of a known one while nobody looked:
// the rest of that is read first, if it lies beside under another name.
func (f *follower) catchUp(now time.Time) {
	for i := len(f.marks) - 1; i >= 0; i-- {
		m := f.marks[i]
		beside, err := filepath.Glob(quoteGlob(m.Path) + "*")
		if err != nil {
			continue
		}
		for _, path := range beside {
			info, err := os.Stat(path)
			if err != nil || !info.Mode().IsRegular() {
				continue
			}
			if device, inode := identity(info); device != m.Device || inode != m.Inode {
				continue
			}
			t, same, err := f.in.open(path, m)
			if err != nil {
				continue
			}
			t.folder = f.newFolder()
			if same {
				f.read(t, now)
				f.close(t, now)
			}
			_ = t.file.Close()
			f.marks = append(f.marks[:i], f.marks[i+1:]...)
			break
		}
	}
}

func quoteGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// read takes what a file has got.
func (f *follower) read(t *tail, now time.Time) {
	cut, err := t.truncated()
	if cut {
		f.flush(t, now)
		t.folder = f.newFolder()
		t.Offset = 0
		f.dirty = true
		f.count(func(c *Counts) { c.Truncated++ })
	}
	var n int64
	var more bool
	if err == nil {
		more, n, err = t.drain(f.buffer, func(line []byte, begins int64) { f.line(t, line, begins, now) })
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.trouble = err
	}
	f.behind = f.behind || more
	if n > 0 {
		f.dirty, f.lastLine, t.grew = true, now, now
	}
}

// line takes one line; the record before it may be complete then.
func (f *follower) line(t *tail, line []byte, begins int64, now time.Time) {
	text, binary := decode(line, f.options.Encoding)
	if binary {
		text = "<binary>"
		f.count(func(c *Counts) { c.Binary++ })
	}
	if record, lines := t.folder.add(text); lines > 0 {
		f.record(record, lines, now)
		t.Offset = begins
	}
}

func (f *follower) count(what func(*Counts)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	what(&f.counts)
}

// flush counts the record that nothing was added to for a while.
func (f *follower) flush(t *tail, now time.Time) {
	if record, lines := t.folder.flush(); lines > 0 {
		f.record(record, lines, now)
		t.Offset = t.ends
		f.dirty = true
	}
}

// close takes what is left of a file that will not grow.
func (f *follower) close(t *tail, now time.Time) {
	t.last(func(line []byte, begins int64) { f.line(t, line, begins, now) })
	f.flush(t, now)
}

// end is for a file whose name went away, and that nobody writes to any more.
func (f *follower) end(id string, t *tail, now time.Time) {
	f.close(t, now)
	_ = t.file.Close()
	delete(f.tails, id)
	f.dirty = true
}

// settle counts records to which nothing was added, and forgets moments that
// nobody asks for.
func (f *follower) settle(now time.Time) {
	f.mu.Lock()
	keep := 0
	for keep < len(f.moments) && now.Sub(f.moments[keep].at) > max(f.options.Keep, time.Minute) {
		keep++
	}
	f.moments = f.moments[keep:]
	f.mu.Unlock()
	for _, t := range f.tails {
		if now.Sub(t.grew) >= settles {
			f.flush(t, now)
		}
	}
	if f.dirty && now.Sub(f.saved) >= saveEvery {
		f.save(now)
	}
}

// record counts one.
func (f *follower) record(text string, lines int, now time.Time) {
	o := &f.options
	matched := o.Pattern != nil && o.Pattern.MatchString(text)
	mine := o.Templates
	second := now.Truncate(time.Second)
	if !second.Equal(f.second) {
		f.second, f.mined = second, 0
	}
	if mine && !f.whole {
		f.mined++
		mine = f.mined <= mineEachSecond
	}
	line := ""
	if mine {
		line = masked(message(text))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &f.counts
	c.Lines += int64(lines)
	c.Records++
	m := f.moment(second)
	if matched {
		c.Matched++
		m.matched++
	}
	switch {
	case mine:
		t, fresh := f.miner.add(line, now)
		c.Evicted = f.miner.gone
		if f.learnt(now) {
			if fresh {
				c.New++
				m.new++
			}
			if t.Rare() {
				c.Rare++
				m.rare++
			}
		}
	case o.Templates:
		c.Unmined++
	}
}

func (f *follower) learnt(now time.Time) bool { return now.Sub(f.began) >= f.options.Learn }

func (f *follower) moment(second time.Time) *moment {
	if n := len(f.moments); n > 0 && f.moments[n-1].at.Equal(second) {
		return &f.moments[n-1]
	}
	f.moments = append(f.moments, moment{at: second})
	return &f.moments[len(f.moments)-1]
}
