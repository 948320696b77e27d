package nethttp

import (
	"crypto/tls"
	"encoding/binary"
	"net"
	"slices"
	"time"
)

const (
	frameHead    = 9
	preface      = len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	typeSettings = 4
	flagAck      = 1
	oneSetting   = 6
)

// framed follows the frames that come over a connection, and of a SETTINGS frame
// that names one setting more than once it leaves the last value: that is how
// RFC 9113 section 6.5.3 has it read, while net/http hangs up. All else passes
// as it is.
type framed struct {
	net.Conn
	tls    *tls.ConnectionState // nil: not encrypted
	server *Server
	since  time.Time
	closed func()
	out    sending

	skip    int    // bytes that pass before the next frame's head
	head    []byte // of the frame that is being read
	ready   []byte // to be read before anything else
	store   []byte // what ready is a part of, kept for the next time
	gather  int    // bytes of a SETTINGS frame that have yet to come
	current []byte // that frame
}

func newFramed(s *Server, nc net.Conn, closed func()) *framed {
	f := &framed{Conn: nc, server: s, since: time.Now(), closed: closed, skip: preface, store: make([]byte, 0, 512)}
	if sealed, ok := nc.(*tls.Conn); ok {
		state := sealed.ConnectionState()
		f.tls = &state
	}
	return f
}

// Close implements net.Conn.
func (f *framed) Close() error {
	defer f.closed()
	f.server.leave(f)
	return f.Conn.Close()
}

// Read implements net.Conn.
func (f *framed) Read(p []byte) (int, error) {
	for {
		if len(f.ready) > 0 {
			n := copy(p, f.ready)
			f.ready = f.ready[n:]
			return n, nil
		}
		n, err := f.Conn.Read(p)
		if n == 0 {
			return 0, err
		}
		if kept := f.follow(p[:n]); kept > 0 || err != nil {
			return kept, err
		}
	}
}

// follow walks through what was read. It returns how much of it may be handed
// on as it stands; from the first SETTINGS frame on the rest goes by ready.
func (f *framed) follow(p []byte) int {
	direct, out := 0, []byte(nil)
	pass := func(b []byte) {
		if out != nil {
			out = append(out, b...)
		} else {
			direct += len(b)
		}
	}
	for len(p) > 0 {
		switch {
		case f.skip > 0:
			n := min(f.skip, len(p))
			pass(p[:n])
			f.skip -= n
			p = p[n:]
		case f.gather > 0:
			n := min(f.gather, len(p))
			f.current = append(f.current, p[:n]...)
			f.gather -= n
			p = p[n:]
			if f.gather == 0 {
				out = append(out, once(f.current)...)
				f.current = f.current[:0]
			}
		default:
			n := min(frameHead-len(f.head), len(p))
			f.head = append(f.head, p[:n]...)
			p = p[n:]
			if out == nil {
				out = f.store[:0] // a head that came in pieces leaves whole
			}
			if len(f.head) < frameHead {
				continue
			}
			length := int(f.head[0])<<16 | int(f.head[1])<<8 | int(f.head[2])
			if f.head[3] == typeSettings && f.head[4]&flagAck == 0 && length > oneSetting && length <= mostSettings && length%oneSetting == 0 {
				f.current, f.gather = append(f.current[:0], f.head...), length
			} else {
				out = append(out, f.head...)
				f.skip = length
			}
			f.head = f.head[:0]
		}
	}
	if f.ready = out; out != nil {
		f.store = out
	}
	return direct
}

// mostSettings bounds a frame that is looked at: what is longer is net/http's to
// refuse.
const mostSettings = 100 * oneSetting

// once leaves the last value of each setting, in the order of the last ones.
func once(frame []byte) []byte {
	var seen []uint16
	kept := make([]byte, 0, len(frame))
	for at := len(frame) - oneSetting; at >= frameHead; at -= oneSetting {
		id := binary.BigEndian.Uint16(frame[at:])
		if slices.Contains(seen, id) {
			continue
		}
		seen = append(seen, id)
		kept = append(append([]byte(nil), frame[at:at+oneSetting]...), kept...)
	}
	head := append([]byte(nil), frame[:frameHead]...)
	head[0], head[1], head[2] = 0, byte(len(kept)>>8), byte(len(kept)) // #nosec G115 -- at most mostSettings
	return append(head, kept...)
}
