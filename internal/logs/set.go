package logs

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	pollEvery = time.Second            // where nothing tells that files changed
	gathers   = 100 * time.Millisecond // how long changes are gathered that are told
	idleAfter = 15 * time.Minute       // a follower that nobody asks ends
)

// Figures are what a follower knows.
type Figures struct {
	ID       string
	Pattern  string
	Counts   Counts
	Files    int       // that are there
	Running  time.Time // since when they are read; zero: they are about to be
	LastLine time.Time
	Learning bool
	Behind   bool  // there is more than was read
	Trouble  error // why a file, or what is known of it, can't be read or kept

	// Within the time that was asked for.
	Matched int64 // records
	New     int64 // templates
	Rare    int64 // records of rare ones
}

// Set are the followers of a node.
type Set struct {
	dir     string
	folders []string

	mu        sync.Mutex
	closed    bool
	followers map[string]*running
	done      sync.WaitGroup
}

// running is a follower with its goroutine.
type running struct {
	*follower
	key   string
	stop  context.CancelFunc
	ended chan struct{}
	asked time.Time // guarded by the set's mutex
}

// NewSet makes a set that keeps what it knows in a folder; empty: it forgets. It
// reads files below the folders named and no others: who may write a plan may
// not therefore read every file of the machine.
func NewSet(dir string, folders ...string) *Set {
	return &Set{dir: dir, folders: folders, followers: map[string]*running{}}
}

var errClosed = errors.New("logs: the node stops")

// ErrFolder refuses files outside the folders of the set.
var ErrFolder = errors.New("logs: outside the folders whose files are read here")

// allows says whether the files of a glob lie below a folder of the set.
func (s *Set) allows(glob string) bool {
	glob = filepath.Clean(glob)
	return slices.ContainsFunc(s.folders, func(folder string) bool {
		inner, err := filepath.Rel(filepath.Clean(folder), glob)
		return err == nil && filepath.IsLocal(inner)
	})
}

// Look returns the figures of the last while. A follower that does not run yet,
// or reads other files by now, begins; one that is not asked for long ends.
func (s *Set) Look(o Options, window time.Duration) (Figures, error) {
	if !s.allows(o.Glob) {
		return Figures{}, ErrFolder
	}
	r, err := s.follower(o)
	if err != nil {
		return Figures{}, err
	}
	return r.figures(time.Now(), window), nil
}

func (o *Options) key() string {
	pattern, begins := "", ""
	if o.Pattern != nil {
		pattern = o.Pattern.String()
	}
	if o.Begins != nil {
		begins = o.Begins.String()
	}
	return fmt.Sprintf("%q %q %q %q %t %v %t %v", o.Glob, pattern, begins, o.Encoding, o.Templates, o.Learn, o.FromStart, o.Keep)
}

func (s *Set) follower(o Options) (*running, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	key := o.key()
	if r := s.followers[o.ID]; r != nil {
		if r.key == key {
			r.asked = time.Now()
			return r, nil
		}
		r.stop()
		<-r.ended // its state has to be whole before another reads it
	}
	f, err := newFollower(o, s.dir)
	if err != nil {
		return nil, err
	}
	f.in = s.folders
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{follower: f, key: key, stop: cancel, ended: make(chan struct{}), asked: time.Now()}
	s.followers[o.ID] = r
	s.done.Add(1)
	go func() {
		defer s.done.Done()
		defer close(r.ended)
		r.run(ctx, func() bool { return s.idle(r) })
	}()
	return r, nil
}

// idle takes a follower that nobody asks out of the set.
func (s *Set) idle(r *running) bool {
	if !s.mu.TryLock() { // somebody looks, or waits for this one
		return false
	}
	defer s.mu.Unlock()
	if time.Since(r.asked) < max(idleAfter, 2*r.options.Keep) {
		return false
	}
	if s.followers[r.options.ID] == r {
		delete(s.followers, r.options.ID)
	}
	return true
}

// run polls until it is stopped.
func (r *running) run(ctx context.Context, idle func() bool) {
	defer r.finish()
	r.poll(time.Now())
	changed := watch(ctx, r.options.Glob)
	timer := time.NewTimer(pollEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-changed:
			// What is written in a burst is read at once, and not line by line.
			pause := time.NewTimer(gathers)
			select {
			case <-ctx.Done():
				pause.Stop()
				return
			case <-pause.C:
			}
		}
		if idle() {
			return
		}
		r.poll(time.Now())
		next := pollEvery
		if r.figures(time.Now(), 0).Behind {
			next = 0
		}
		timer.Reset(next)
	}
}

// finish writes down what is known by now.
func (r *running) finish() {
	r.poll(time.Now())
	r.save(time.Now())
	for _, t := range r.tails {
		_ = t.file.Close()
	}
}

// watch tells when files of a folder change; where the system can't, nobody
// tells, and the files are looked at by the clock.
func watch(ctx context.Context, glob string) <-chan struct{} {
	dir := filepath.Dir(glob)
	if strings.ContainsAny(dir, `*?[`) {
		return nil
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil
	}
	if err := w.Add(dir); err != nil {
		_ = w.Close()
		return nil
	}
	changed := make(chan struct{}, 1)
	go func() {
		defer func() { _ = w.Close() }()
		for {
			select {
			case <-ctx.Done():
				return
			case _, ok := <-w.Errors: // such as too many events: the clock helps
				if !ok {
					return
				}
			case e, ok := <-w.Events:
				if !ok {
					return
				}
				if match, err := filepath.Match(glob, e.Name); err != nil || !match {
					continue
				}
				select {
				case changed <- struct{}{}:
				default:
				}
			}
		}
	}()
	return changed
}

func (f *follower) figures(now time.Time, window time.Duration) Figures {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := Figures{
		ID: f.options.ID, Counts: f.counts, Files: f.files, Running: f.running, LastLine: f.lastLine,
		Learning: f.options.Templates && !f.learnt(now), Behind: f.behind, Trouble: f.trouble,
	}
	if f.options.Pattern != nil {
		out.Pattern = f.options.Pattern.String()
	}
	for _, m := range slices.Backward(f.moments) {
		if now.Sub(m.at) > window {
			break
		}
		out.Matched += m.matched
		out.New += m.new
		out.Rare += m.rare
	}
	return out
}

// All are the figures of all followers, without a window.
func (s *Set) All() []Figures {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Figures
	for _, r := range s.followers {
		all = append(all, r.figures(time.Now(), 0))
	}
	slices.SortFunc(all, func(a, b Figures) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// Templates are those that a check's follower knows, the one seen last first.
func (s *Set) Templates(id string) ([]Template, bool) {
	s.mu.Lock()
	r := s.followers[id]
	s.mu.Unlock()
	if r == nil {
		return nil, false
	}
	r.follower.mu.Lock()
	defer r.follower.mu.Unlock()
	return r.miner.all(), true
}

// Close ends all followers and keeps what they know.
func (s *Set) Close() {
	s.mu.Lock()
	s.closed = true
	for _, r := range s.followers {
		r.stop()
	}
	s.mu.Unlock()
	s.done.Wait()
}

// Read reads files once, from their first byte to their last, and keeps nothing.
func Read(ctx context.Context, o Options) (Figures, []Template, error) {
	o.FromStart, o.Learn, o.Templates = true, 0, true
	f, err := newFollower(o, "")
	if err != nil {
		return Figures{}, nil, err
	}
	f.whole = true
	now := time.Now()
	for f.poll(now); f.figures(now, 0).Behind; f.poll(now) {
		if err := ctx.Err(); err != nil {
			return Figures{}, nil, err
		}
	}
	for _, t := range f.tails {
		f.close(t, now)
		_ = t.file.Close()
	}
	return f.figures(now, time.Hour), f.miner.all(), f.trouble
}
