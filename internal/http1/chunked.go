package http1

import (
	"bytes"
	"io"

	"holdfast/internal/continuity"
)

const (
	maxChunkLine = 512
	maxTrailer   = 8 << 10
	maxWaste     = 8 << 10 // bytes that are not data, beyond what data of that size needs
)

// chunks decodes a chunked body out of a wire.
type chunks struct {
	left  int64 // of the current chunk's data
	waste int64
	begun bool // a chunk was read, and the line end after its data is due
	done  bool

	trailer []continuity.Field
}

// read copies decoded bytes to p and returns io.EOF after the last chunk and
// its trailers were consumed. src is whose wire b is.
func (c *chunks) read(b *wire, src source, p []byte) (int, error) {
	if c.done {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if c.left == 0 {
		if err := c.next(b, src); err != nil {
			return 0, err
		}
		if c.done {
			return 0, io.EOF
		}
	}
	n, err := readSome(b, src, p[:min(int64(len(p)), c.left)])
	if err != nil {
		return 0, err
	}
	c.left -= int64(n)
	if c.left == 0 {
		// Look ahead only at what is here: the end of the body is often in the
		// same packet, and a reader that learns it now needs no further read.
		if c.endsHere(b) {
			c.done = true
			return n, io.EOF
		}
	}
	return n, nil
}

var lastChunk = []byte("\r\n0\r\n\r\n")

func (c *chunks) endsHere(b *wire) bool {
	if !bytes.HasPrefix(b.buffered(), lastChunk) {
		return false
	}
	b.r += len(lastChunk)
	return true
}

// next reads the line end after the last chunk's data and the next chunk's
// head; after the last chunk also the trailers.
func (c *chunks) next(b *wire, src source) error {
	if c.begun {
		line, err := readLine(b, src, 2, errChunk)
		if err != nil {
			return err
		}
		if len(line) != 0 {
			return errChunk
		}
		c.begun = false
	}
	line, err := readLine(b, src, maxChunkLine, errChunk)
	if err != nil {
		return err
	}
	size, ok := parseChunkLine(line)
	if !ok {
		return errChunk
	}
	// Many tiny chunks or long extensions: work without data.
	c.waste = max(0, c.waste+int64(len(line))+4-16-2*size)
	if c.waste > maxWaste {
		return errChunkWaste
	}
	if size > 0 {
		c.left, c.begun = size, true
		return nil
	}
	for total := 0; ; {
		line, err := readLine(b, src, maxTrailer, errTrailer)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			c.done = true
			return nil
		}
		if total += len(line); total > maxTrailer || !c.takeTrailer(line) {
			return errTrailer
		}
	}
}

// parseChunkLine reads the size; extensions are checked and ignored.
func parseChunkLine(line []byte) (int64, bool) {
	var size int64
	i := 0
	for i < len(line) && hexValue[line[i]] >= 0 {
		if i == 15 { // fits an int64 with room for sums
			return 0, false
		}
		size = size<<4 | int64(hexValue[line[i]])
		i++
	}
	if i == 0 {
		return 0, false
	}
	rest := line[i:]
	if len(rest) == 0 {
		return size, true
	}
	// White space before the semicolon is "bad" in the RFC's own words, and
	// parsers differ over it.
	if len(rest) < 2 || rest[0] != ';' {
		return 0, false
	}
	for _, ch := range rest {
		if !valueChar[ch] || ch >= 0x80 {
			return 0, false
		}
	}
	return size, true
}

// readLine consumes a line and returns it without its CRLF; it is valid until
// the next read. A line longer than limit, or one that ends in LF alone, is
// the given error.
func readLine(b *wire, src source, limit int, wrong *ProtocolError) ([]byte, error) {
	for from := 0; ; {
		p := b.buffered()
		if i := bytes.IndexByte(p[from:], '\n'); i >= 0 {
			i += from
			if i == 0 || p[i-1] != '\r' || i-1 > limit || bytes.IndexByte(p[:i-1], '\r') >= 0 {
				return nil, wrong
			}
			b.r += i + 1
			return p[:i-1], nil
		}
		if from = len(p); from > limit+1 {
			return nil, wrong
		}
		if err := src.fill(); err != nil {
			return nil, noEOF(err)
		}
	}
}

// noEOF turns the end of the connection into the error it is inside a body.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
