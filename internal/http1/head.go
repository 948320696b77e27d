package http1

import (
	"strings"

	"holdfast/internal/continuity"
)

// head is what the fields of a message say about the message itself. It is
// kept with its connection and used again.
type head struct {
	fields    []continuity.Field // what passes on
	minor     int                // of the protocol version 1.x
	hosts     int
	host      string
	length    int64 // -1: not stated
	chunked   bool
	closes    bool     // Connection: close
	keeps     bool     // Connection: keep-alive
	expects   string   // the value of Expect
	keepAlive string   // the value of Keep-Alive
	trailers  bool     // TE: trailers
	upgrades  bool     // Connection: upgrade
	upgrade   string   // the value of Upgrade
	named     []string // what Connection names beside its own options
}

func (h *head) reset(minor int) {
	*h = head{fields: h.fields[:0], named: h.named[:0], minor: minor, length: -1}
}

// persistent reports whether the sender means to use the connection again.
func (h *head) persistent() bool {
	return !h.closes && (h.minor > 0 || h.keeps)
}

// parse reads the field lines and the empty line that ends them; s is exactly
// that.
func (h *head) parse(s string, maxFields int) *ProtocolError {
	for n := 0; ; n++ {
		if s == "\r\n" {
			break
		}
		if n == maxFields {
			return errFieldsMany
		}
		// A line that starts with a space (folding) and a space before the colon
		// both end the name where there is no colon.
		i := 0
		for i < len(s) && tokenChar[s[i]] {
			i++
		}
		if i == 0 || i == len(s) || s[i] != ':' {
			return errField
		}
		end := i + 1
		for end < len(s) && valueChar[s[end]] {
			end++
		}
		if end+2 > len(s) || s[end] != '\r' || s[end+1] != '\n' {
			if end < len(s) && s[end] == '\n' {
				return errBareLF
			}
			return errField
		}
		if err := h.field(s[:i], trimOWS(s[i+1:end])); err != nil {
			return err
		}
		s = s[end+2:]
	}
	if len(h.named) > 0 {
		h.dropNamed()
	}
	return nil
}

// field takes one field line.
func (h *head) field(name, value string) *ProtocolError {
	switch len(name) {
	case 2:
		if fold(name, "te") {
			h.trailers = h.trailers || takesTrailers(value)
			return nil
		}
	case 4:
		if fold(name, "host") {
			h.hosts++
			h.host = value
			return nil
		}
	case 6:
		if fold(name, "expect") {
			if h.expects != "" {
				return errExpect
			}
			h.expects = value
			return nil
		}
	case 7:
		switch {
		case fold(name, "upgrade"):
			h.upgrade = value
			return nil
		case fold(name, "trailer"):
			return checkTrailer(value)
		}
	case 10:
		switch {
		case fold(name, "connection"):
			return h.connection(value)
		case fold(name, "keep-alive"):
			h.keepAlive = value
			return nil
		}
	case 14:
		if fold(name, "content-length") {
			n, ok := parseLength(value)
			if !ok || h.length >= 0 {
				return errLength
			}
			if h.chunked {
				return errBoth
			}
			h.length = n
			return nil
		}
	case 17:
		if fold(name, "transfer-encoding") {
			if h.minor == 0 || h.chunked || !fold(value, "chunked") {
				return errCoding
			}
			if h.length >= 0 {
				return errBoth
			}
			h.chunked = true
			return nil
		}
	}
	if len(name) > 6 && (name[0]|0x20) == 'p' && fold(name[:6], "proxy-") {
		return nil
	}
	h.fields = append(h.fields, continuity.Field{Name: name, Value: value})
	return nil
}

// connection takes the options of one Connection field.
func (h *head) connection(value string) *ProtocolError {
	for option := range strings.SplitSeq(value, ",") {
		option = trimOWS(option)
		switch {
		case option == "":
		case fold(option, "close"):
			h.closes = true
		case fold(option, "keep-alive"):
			h.keeps = true
		case fold(option, "upgrade"):
			h.upgrades = true
		case !ValidName(option):
			return errConnection
		default:
			h.named = append(h.named, option)
		}
	}
	return nil
}

// protected are the fields that Connection cannot take out of a message; what
// begins with content-, if-, sec-, x-forwarded- and access-control- is protected
// too.
var protected = map[string]bool{
	"host": true, "authorization": true, "www-authenticate": true, "cookie": true, "set-cookie": true,
	"idempotency-key": true, "prefer": true, "preference-applied": true,
	"accept": true, "accept-encoding": true, "accept-language": true, "accept-ranges": true,
	"age": true, "allow": true, "cache-control": true, "pragma": true, "date": true, "etag": true, "expires": true,
	"last-modified": true, "location": true, "range": true, "retry-after": true, "vary": true, "warning": true,
	"origin": true, "referer": true, "user-agent": true, "server": true, "from": true, "via": true,
	"forwarded": true, "max-forwards": true, "x-real-ip": true, "x-request-id": true,
	"traceparent": true, "tracestate": true, "baggage": true, "digest": true, "signature": true, "signature-input": true,
}

func isProtected(name string) bool {
	name = strings.ToLower(name)
	if protected[name] {
		return true
	}
	for _, prefix := range [...]string{"content-", "if-", "sec-", "x-forwarded-", "access-control-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func (h *head) dropNamed() {
	kept := h.fields[:0]
	for _, f := range h.fields {
		drop := false
		for _, name := range h.named {
			if strings.EqualFold(name, f.Name) && !isProtected(name) {
				drop = true
				break
			}
		}
		if !drop {
			kept = append(kept, f)
		}
	}
	h.fields = kept
}

func checkTrailer(value string) *ProtocolError {
	for name := range strings.SplitSeq(value, ",") {
		name = trimOWS(name)
		if fold(name, "transfer-encoding") || fold(name, "content-length") || fold(name, "trailer") {
			return errTrailerField
		}
	}
	return nil
}

// parseLength reads digits only: no sign, no list, no white space.
func parseLength(s string) (int64, bool) {
	if s == "" || len(s) > 18 { // 18 digits fit an int64
		return 0, false
	}
	var n int64
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	return n, true
}
