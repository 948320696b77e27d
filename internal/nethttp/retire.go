package nethttp

import (
	"context"
	"encoding/binary"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	typeHeaders      = 1
	typeGoAway       = 7
	typeContinuation = 9
	flagEndHeaders   = 4
)

// farewell says to open no further stream, and refuses none: net/http's own
// GOAWAY names the last stream that has come so far, and hangs up on idle
// connections, so that a request that crosses it is lost on its client.
var farewell = func() []byte {
	frame := make([]byte, frameHead+8)
	frame[2], frame[3] = 8, typeGoAway
	binary.BigEndian.PutUint32(frame[frameHead:], math.MaxInt32)
	return frame
}()

// Retire has clients open no further streams on the connections that they have,
// while those under way go on. A connection that comes later ends with its first
// answers. It is to be called a while before Shutdown.
func (s *Server) Retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retiring = true
	for f := range s.open {
		f.out.retire.CompareAndSwap(retireNot, retireNow)
		go f.part() // a client that reads nothing holds up no other
	}
}

// enter counts a connection among those that Retire speaks to.
func (s *Server) enter(f *framed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[f] = struct{}{}
	if s.retiring {
		f.out.retire.Store(retireLater)
	}
}

func (s *Server) leave(f *framed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, f)
}

// lateComer is how long a connection that came after Retire may take for its
// first request. net/http would take it for idle, and hang up.
const lateComer = time.Second

// heedLateComers waits for the first answers of connections that have just come.
func (s *Server) heedLateComers(ctx context.Context) {
	tick := time.NewTicker(lateComer / 50)
	defer tick.Stop()
	for s.awaits(time.Now()) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Server) awaits(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for f := range s.open {
		if f.out.retire.Load() == retireLater && now.Sub(f.since) < lateComer {
			return true
		}
	}
	return false
}

// Whether a connection is to say farewell.
const (
	retireNot   = iota
	retireLater // behind its first answer
	retireNow   // as soon as a frame ends
	retired
)

// sending follows the frames that leave by a connection.
type sending struct {
	mu     sync.Mutex // held while something is written
	skip   int        // bytes of the frame that is being written
	head   [frameHead]byte
	got    int  // bytes of head
	begun  bool // SETTINGS, which come before all else, have left
	within bool // a head goes on in the next frame
	retire atomic.Uint32
}

// Write implements net.Conn.
func (f *framed) Write(p []byte) (int, error) {
	n, err := f.send(p)
	if err == nil && f.out.retire.Load() == retireNow {
		f.part()
	}
	return n, err
}

func (f *framed) send(p []byte) (int, error) {
	f.out.mu.Lock()
	defer f.out.mu.Unlock()
	n, err := f.Conn.Write(p)
	f.out.follow(p[:n])
	return n, err
}

func (o *sending) follow(p []byte) {
	for len(p) > 0 {
		if o.skip > 0 {
			n := min(o.skip, len(p))
			o.skip -= n
			p = p[n:]
			continue
		}
		n := copy(o.head[o.got:], p)
		o.got += n
		p = p[n:]
		if o.got < frameHead {
			return
		}
		o.got, o.begun = 0, true
		o.skip = int(o.head[0])<<16 | int(o.head[1])<<8 | int(o.head[2])
		if kind := o.head[3]; kind == typeHeaders || kind == typeContinuation {
			o.within = o.head[4]&flagEndHeaders == 0
		}
		if o.head[3] == typeHeaders {
			o.retire.CompareAndSwap(retireLater, retireNow)
		}
	}
}

// part says farewell if no frame is half written, nor a head of several;
// otherwise whoever writes it does so behind it.
func (f *framed) part() {
	o := &f.out
	if !o.mu.TryLock() {
		return // its Write looks again
	}
	defer o.mu.Unlock()
	if !o.begun || o.skip > 0 || o.got > 0 || o.within || !o.retire.CompareAndSwap(retireNow, retired) {
		return
	}
	_, _ = f.Conn.Write(farewell) // a client that left can't be told
}
