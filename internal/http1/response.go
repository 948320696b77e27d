package http1

import (
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// parseResponse reads a response head, its empty line included.
func parseResponse(s string, h *head, maxFields int) (status int, err *ProtocolError) {
	const least = len("HTTP/1.1 200\r\n")
	if len(s) < least || s[:7] != "HTTP/1." || s[7] != '0' && s[7] != '1' || s[8] != ' ' {
		return 0, errStatusLine
	}
	minor := int(s[7] - '0')
	for i := 9; i < 12; i++ {
		c := s[i] - '0'
		if c > 9 {
			return 0, errStatusLine
		}
		status = status*10 + int(c)
	}
	if status < 100 {
		return 0, errStatusLine
	}
	// Servers that leave the reason out often leave out the space before it too.
	end := 12 + strings.IndexByte(s[12:], '\r')
	if end < 12 || end+1 >= len(s) || s[end+1] != '\n' || end > 12 && s[12] != ' ' || !all(s[12:end], &valueChar) {
		return 0, errStatusLine
	}
	h.reset(minor)
	return status, h.parse(s[end+2:], maxFields)
}

// bodyless reports whether a response cannot have a body.
func bodyless(method string, status int) bool {
	return method == "HEAD" || status < 200 || status == 204 || status == 304
}

// readHead reads the final response head into re and cc.head.
func (re *reply) readHead() (int, error) {
	for interim := 0; ; interim++ {
		text, err := re.readHeadText(true)
		if err != nil {
			return 0, err
		}
		status, err := re.takeHead(text, interim)
		if status != 0 || err != nil {
			return status, err
		}
	}
}

// takeHead takes one response head; its status is 0 if another one follows.
func (re *reply) takeHead(text string, interim int) (int, error) {
	cc := re.cc
	cc.head.fields = re.fields[:0]
	status, wrong := parseResponse(text, &cc.head, maxResponseFields)
	switch {
	case wrong != nil:
		return 0, wrong
	case status >= 200:
		return status, nil
	case status == 101:
		if !re.switched() {
			return 0, errUpgraded
		}
		return status, nil
	case status == 103 && re.interim != nil:
		re.interim(status, cc.head.fields)
	case interim == maxInterim:
		return 0, errInterim
	}
	return 0, nil
}

const maxResponseFields = 256

// readHeadText reads a head, or what there is of it: without wait, "" says that
// more has yet to come.
func (re *reply) readHeadText(wait bool) (string, error) {
	cc := re.cc
	for from := 0; ; {
		n, wrong := cc.findHead(from, cc.pool.o.Head)
		if wrong != nil {
			return "", wrong
		}
		if n > 0 {
			head := re.words.text(cc.buf[cc.r : cc.r+n])
			cc.r += n
			if !re.lent {
				re.words.end(false)
			}
			return head, nil
		}
		from = max(0, cc.w-cc.r-3)
		if !wait {
			if readable, _ := cc.onLoop.Ready(); !readable {
				return "", nil
			}
		}
		if err := cc.wire.fill(); err != nil {
			return "", noEOF(err)
		}
	}
}

// keepAliveTime reads "timeout=N" of a Keep-Alive field and leaves the upstream
// a second, or half of a short time.
func keepAliveTime(value string) time.Duration {
	for part := range strings.SplitSeq(value, ",") {
		name, number, _ := strings.Cut(trimOWS(part), "=")
		if n, ok := parseLength(trimOWS(number)); ok && fold(trimOWS(name), "timeout") {
			d := time.Duration(min(n, 3600)) * time.Second
			return max(d-time.Second, d/2, time.Millisecond)
		}
	}
	return 0
}

// fieldArray is room for the fields of a usual response.
type fieldArray [16]continuity.Field
