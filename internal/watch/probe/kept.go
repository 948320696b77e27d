package probe

import (
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// How long a connection waits for the next look, how many wait for one place,
// and how many in all: servers end them after a minute or so, and this machine has
// files for other things, too.
const (
	keptFor  = time.Minute
	keptEach = 2
	keptAll  = 20_000
)

// Kept are connections that wait for the next look, by where they lead. They cost
// a file each, and neither a goroutine nor a buffer.
type Kept struct {
	mu    sync.Mutex
	to    map[string][]Waiting
	n     int
	swept time.Time
}

// Waiting is a connection between two looks.
type Waiting struct {
	Conn  net.Conn
	State *tls.ConnectionState
	since time.Time
}

// Take gives the connection that waited least.
func (k *Kept) Take(to string) (Waiting, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := k.to[to]
	if len(all) == 0 {
		return Waiting{}, false
	}
	w := all[len(all)-1]
	all[len(all)-1] = Waiting{}
	k.to[to] = all[:len(all)-1] // the list stays: the next look puts its connection there
	k.n--
	if time.Since(w.since) > keptFor {
		_ = w.Conn.Close()
		return Waiting{}, false
	}
	return w, true
}

// Put lets a connection wait.
func (k *Kept) Put(to string, w Waiting) {
	now := time.Now()
	w.since = now
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.Sub(k.swept) > keptFor/2 {
		k.sweep(now)
	}
	if len(k.to[to]) >= keptEach || k.n >= keptAll {
		_ = w.Conn.Close()
		return
	}
	if k.to == nil {
		k.to = map[string][]Waiting{}
	}
	k.to[to] = append(k.to[to], w)
	k.n++
}

// CloseIdleConnections closes those that wait.
func (k *Kept) CloseIdleConnections() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sweep(time.Now().Add(24 * time.Hour))
}

func (k *Kept) sweep(now time.Time) {
	k.swept = now
	for to, all := range k.to {
		old := 0
		for old < len(all) && now.Sub(all[old].since) > keptFor {
			_ = all[old].Conn.Close()
			old++
		}
		k.n -= old
		if old == len(all) {
			delete(k.to, to)
		} else if old > 0 {
			k.to[to] = append([]Waiting(nil), all[old:]...)
		}
	}
}
