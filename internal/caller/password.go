package caller

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"
)

// passwords compares passwords with their hashes, which is slow and takes memory
// on purpose. What was found out is remembered for a while, the same question is
// asked once however many ask it, and of different ones a few are under way at
// once and a few more wait for their turn.
type passwords struct {
	salt  [32]byte
	now   func() time.Time
	turns chan struct{}

	mu    sync.Mutex
	right map[[sha256.Size]byte]time.Time // until when
	wrong map[[sha256.Size]byte]time.Time // until when
	under map[[sha256.Size]byte]*comparison
}

// comparison is one that is under way.
type comparison struct {
	done chan struct{}
	same bool
	err  error
}

const (
	manyKnown  = 10_000
	knownFor   = 5 * time.Minute
	hashedOnce = 2               // at once: each takes the memory that its hash asks for
	mostUnder  = 64              // those that wait for their turn included
	turnWithin = 5 * time.Second // how long they do
)

var errBusy = errors.New("too many passwords to compare")

func newPasswords(now func() time.Time) *passwords {
	p := &passwords{now: now, turns: make(chan struct{}, hashedOnce), under: make(map[[sha256.Size]byte]*comparison)}
	p.right, p.wrong = make(map[[sha256.Size]byte]time.Time), make(map[[sha256.Size]byte]time.Time)
	_, _ = rand.Read(p.salt[:]) // never fails
	return p
}

// nobody is the hash that an unknown name's password is compared with, so that
// time does not tell which names there are.
var nobody = sync.OnceValue(func() string {
	h, err := argon2id.CreateHash(rand.Text(), argon2id.DefaultParams)
	if err != nil {
		return ""
	}
	return h
})

// same reports whether a name's password is that of the hash; errBusy where that
// can't be told for now.
func (p *passwords) same(name, password, hash string) (bool, error) {
	mac := hmac.New(sha256.New, p.salt[:])
	_, _ = fmt.Fprintf(mac, "%d %s %d %s %s", len(name), name, len(password), password, hash)
	tag := [sha256.Size]byte(mac.Sum(nil))
	p.mu.Lock()
	switch now := p.now(); {
	case now.Before(p.right[tag]):
		p.mu.Unlock()
		return true, nil
	case now.Before(p.wrong[tag]):
		p.mu.Unlock()
		return false, nil
	}
	c := p.under[tag]
	if c != nil {
		p.mu.Unlock()
		<-c.done
		return c.same, c.err
	}
	if len(p.under) >= mostUnder { // who tries many must not take the memory of all
		p.mu.Unlock()
		return false, errBusy
	}
	c = &comparison{done: make(chan struct{})}
	p.under[tag] = c
	p.mu.Unlock()
	c.same, c.err = p.compare(password, hash)
	p.mu.Lock()
	delete(p.under, tag)
	switch {
	case c.err != nil:
	case c.same:
		remember(p.right, tag, p.now())
	default:
		remember(p.wrong, tag, p.now())
	}
	p.mu.Unlock()
	close(c.done)
	return c.same, c.err
}

// compare waits for its turn.
func (p *passwords) compare(password, hash string) (bool, error) {
	late := time.NewTimer(turnWithin)
	defer late.Stop()
	select {
	case p.turns <- struct{}{}:
	case <-late.C:
		return false, errBusy
	}
	defer func() { <-p.turns }()
	return argon2id.ComparePasswordAndHash(password, hash)
}

func remember(known map[[sha256.Size]byte]time.Time, tag [sha256.Size]byte, now time.Time) {
	if len(known) >= manyKnown {
		clear(known)
	}
	known[tag] = now.Add(knownFor)
}
