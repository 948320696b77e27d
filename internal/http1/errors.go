package http1

import (
	"errors"
	"fmt"
	"net"
	"os"
)

// ProtocolError says that a peer broke the protocol or a limit. Status is what
// a client is answered with.
type ProtocolError struct {
	Status int
	Reason string // English, for logs
}

func (e *ProtocolError) Error() string { return fmt.Sprintf("http1: %s (%d)", e.Reason, e.Status) }

func bad(reason string) *ProtocolError { return &ProtocolError{400, reason} }

var (
	errLine         = bad("malformed request line")
	errTarget       = bad("malformed request target")
	errTargetLong   = &ProtocolError{414, "request target too long"}
	errHeadLong     = &ProtocolError{431, "head too large"}
	errFieldsMany   = &ProtocolError{431, "too many fields"}
	errVersion      = &ProtocolError{505, "unsupported protocol version"}
	errConnect      = &ProtocolError{501, "CONNECT is not supported"}
	errExpect       = &ProtocolError{417, "unknown expectation"}
	errField        = bad("malformed field")
	errBareLF       = bad("bare LF")
	errHost         = bad("missing, doubled or malformed Host")
	errLength       = bad("malformed or doubled Content-Length")
	errCoding       = bad("unsupported Transfer-Encoding")
	errBoth         = bad("both Transfer-Encoding and Content-Length")
	errTrailerField = bad("forbidden name in Trailer")
	errConnection   = bad("malformed Connection")
	errStatusLine   = bad("malformed status line")
	errUpgraded     = bad("unasked switch of protocols")
	errInterim      = bad("too many interim responses")
	errChunk        = bad("malformed chunk")
	errChunkWaste   = bad("chunks carry too little data")
	errTrailer      = bad("malformed or too large trailers")
	errBodyLarge    = &ProtocolError{413, "body too large"}
	errHeadSlow     = &ProtocolError{408, "head too slow"}
	errBodySlow     = &ProtocolError{408, "body too slow"}
)

// Errors of answering.
var (
	ErrAnswered = errors.New("http1: the exchange was answered already")
	ErrHeader   = errors.New("http1: status, field or target cannot be sent")
	ErrShort    = errors.New("http1: the body is shorter than its stated length")
)

func isTimeout(err error) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
