package listener

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/internal/continuity"
)

// files are certificates out of files that may change.
type files struct {
	pairs []continuity.Pair
	log   *slog.Logger
	now   atomic.Pointer[fileSet]
	look  sync.Mutex
	next  atomic.Int64 // when the files are looked at again, in Unix nanoseconds
}

// fileSet is what was read at one time.
type fileSet struct {
	certificates []*tls.Certificate
	stamps       []stamp
}

// stamp tells one version of a file from another.
type stamp struct {
	at   time.Time
	size int64
}

var lookEvery = time.Second

func openFiles(pairs []continuity.Pair, log *slog.Logger) (*files, error) {
	f := &files{pairs: pairs, log: log}
	set, err := f.load(f.stamps())
	if err != nil {
		return nil, err
	}
	f.now.Store(set)
	f.next.Store(time.Now().Add(lookEvery).UnixNano())
	return f, nil
}

func (f *files) stamps() []stamp {
	out := make([]stamp, 0, 2*len(f.pairs))
	for _, p := range f.pairs {
		for _, path := range []string{p.Certificate, p.Key} {
			var s stamp
			if info, err := os.Stat(path); err == nil {
				s = stamp{info.ModTime(), info.Size()}
			}
			out = append(out, s)
		}
	}
	return out
}

func (f *files) load(stamps []stamp) (*fileSet, error) {
	set := &fileSet{stamps: stamps}
	for _, p := range f.pairs {
		c, err := tls.LoadX509KeyPair(p.Certificate, p.Key)
		if err != nil {
			return nil, unusable(p.Certificate, err)
		}
		set.certificates = append(set.certificates, &c)
	}
	return set, nil
}

// get chooses by the client's hello.
func (f *files) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if now := time.Now(); now.UnixNano() >= f.next.Load() {
		f.refresh(now)
	}
	all := f.now.Load().certificates
	for _, c := range all {
		if hello.SupportsCertificate(c) == nil {
			return c, nil
		}
	}
	return all[0], nil
}

// refresh takes changed files into use; one handshake at a time looks.
func (f *files) refresh(now time.Time) {
	if !f.look.TryLock() {
		return
	}
	defer f.look.Unlock()
	f.next.Store(now.Add(lookEvery).UnixNano())
	old, stamps := f.now.Load(), f.stamps()
	if equal(old.stamps, stamps) {
		return
	}
	set, err := f.load(stamps)
	if err != nil {
		// Perhaps only one of a pair was written yet: the next look tells.
		f.log.Error("changed certificates can't be used; the ones before go on", "error", err)
		return
	}
	f.now.Store(set)
	f.log.Info("certificates changed", "pairs", len(set.certificates))
}

func equal(a, b []stamp) bool {
	for i := range a {
		if !a[i].at.Equal(b[i].at) || a[i].size != b[i].size {
			return false
		}
	}
	return true
}
