package http1

import "io"

// The parsers, for the fuzz targets.

// ParsedHead is what a parser made of a head.
type ParsedHead struct {
	Request    Request
	Status     int
	Length     int64 // -1: not stated
	Chunked    bool
	Persistent bool
	Named      bool // Connection named fields, which may be missing now
}

// ParseRequestForTest parses the head at the beginning of text.
func ParseRequestForTest(text []byte) (p ParsedHead, rest []byte, err error) {
	var h head
	limits := Limits{}.withDefaults()
	b := wire{buf: text, w: len(text)}
	n, wrong := b.findHead(0, limits.Header)
	if wrong != nil {
		return p, nil, wrong
	}
	if n == 0 {
		return p, nil, io.ErrUnexpectedEOF
	}
	if wrong := parseRequest(string(text[:n]), &p.Request, &h, &limits); wrong != nil {
		return p, nil, wrong
	}
	p.Length, p.Chunked, p.Persistent, p.Named = h.length, h.chunked, h.persistent(), len(h.named) > 0
	return p, text[n:], nil
}

// ParseResponseForTest parses the head at the beginning of text.
func ParseResponseForTest(text []byte) (p ParsedHead, rest []byte, err error) {
	var h head
	b := wire{buf: text, w: len(text)}
	n, wrong := b.findHead(0, 64<<10)
	if wrong != nil {
		return p, nil, wrong
	}
	if n == 0 {
		return p, nil, io.ErrUnexpectedEOF
	}
	status, wrong := parseResponse(string(text[:n]), &h, maxResponseFields)
	if wrong != nil {
		return p, nil, wrong
	}
	p.Status, p.Request.Header = status, h.fields
	p.Length, p.Chunked, p.Persistent, p.Named = h.length, h.chunked, h.persistent(), len(h.named) > 0
	return p, text[n:], nil
}

// sliced is a source that gives its text in pieces of a given size.
type sliced struct {
	wire
	text  []byte
	piece int
}

func (s *sliced) fill() error {
	if len(s.text) == 0 {
		return io.EOF
	}
	n := min(s.piece, len(s.text))
	s.buf = append(append([]byte(nil), s.buffered()...), s.text[:n]...)
	s.r, s.w = 0, len(s.buf)
	s.text = s.text[n:]
	return nil
}

func (s *sliced) direct(p []byte) (int, error) {
	if len(s.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.text[:min(s.piece, len(s.text))])
	s.text = s.text[n:]
	return n, nil
}

// DecodeChunksForTest decodes text that arrives in pieces, reading into a
// buffer of the given size; left is what follows the body.
func DecodeChunksForTest(text []byte, piece, size int) (body, left []byte, err error) {
	s := &sliced{text: text, piece: piece}
	var c chunks
	buf := make([]byte, size)
	for {
		n, err := c.read(&s.wire, s, buf)
		body = append(body, buf[:n]...)
		if err == io.EOF {
			return body, append(append([]byte(nil), s.buffered()...), s.text...), nil
		}
		if err != nil {
			return body, nil, err
		}
	}
}
