package relay

import (
	"crypto/rand"
	"encoding/hex"
	"strings"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
)

// Fields of W3C Trace Context.
const (
	traceHeader  = "Traceparent"
	stateOfTrace = "Tracestate"
)

// trace lets one valid traceparent pass. An invalid or doubled one is replaced,
// and what belongs to it goes with it; where there is none, one is made if that
// is wished. Every attempt of a kept request bears the same: the relay is no
// span of its own, and a repeat is the same request.
func trace(req *http1.Request, wished bool) {
	count, valid := 0, true
	for _, f := range req.Header {
		if strings.EqualFold(f.Name, traceHeader) {
			count++
			valid = validTrace(f.Value)
		}
	}
	switch {
	case count == 1 && valid:
		return
	case count == 0 && !wished:
		return
	}
	kept := req.Header[:0]
	for _, f := range req.Header {
		if !strings.EqualFold(f.Name, traceHeader) && !strings.EqualFold(f.Name, stateOfTrace) {
			kept = append(kept, f)
		}
	}
	req.Header = append(kept, continuity.Field{Name: traceHeader, Value: newTrace()})
}

const traceLength = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")

// validTrace reads version 00, and of later versions what they have in common
// with it.
func validTrace(s string) bool {
	if len(s) < traceLength || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return false
	}
	for i := range traceLength {
		if i != 2 && i != 35 && i != 52 && !(s[i] >= '0' && s[i] <= '9' || s[i] >= 'a' && s[i] <= 'f') {
			return false
		}
	}
	switch {
	case s[:2] == "ff", strings.Trim(s[3:35], "0") == "", strings.Trim(s[36:52], "0") == "":
		return false
	case s[:2] == "00":
		return len(s) == traceLength
	}
	return len(s) == traceLength || s[traceLength] == '-'
}

// newTrace begins a trace that those behind may record.
func newTrace() string {
	var id [24]byte
	_, _ = rand.Read(id[:]) // never fails
	out := make([]byte, 0, traceLength)
	out = append(out, "00-"...)
	out = hex.AppendEncode(out, id[:16])
	out = append(out, '-')
	out = hex.AppendEncode(out, id[16:])
	return string(append(out, "-01"...))
}

// requestID is what logs call a request by: what its sender did, if that is
// short and plain, or its trace.
func requestID(req *http1.Request) string {
	if id := req.Get("X-Request-Id"); id != "" && len(id) <= 64 && http1.ValidName(id) {
		return id
	}
	if t := req.Get(traceHeader); validTrace(t) {
		return t[3:35]
	}
	return ""
}
