package backupfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"holdfast/internal/backupkey"
	"holdfast/internal/continuity"
)

// maxWindow bounds what a file may ask of the memory.
const maxWindow = 8 << 20

var errClosed = errors.New("backupfile: read after it was closed")

// Reader reads the stream of a file. It says io.EOF only where the end was
// authenticated; any other error is the last word.
type Reader struct {
	source *source
	cipher *ahead // decrypts, while
	plain  *ahead // decompresses
	zstd   *zstd.Decoder
}

// NewReader begins to read a file as what it is bound to. The file is the reader's own
// from now on, and is closed with it, or here where this fails.
func NewReader(r io.ReadCloser, ring *backupkey.Ring, b Bound) (*Reader, error) {
	f := &Reader{source: &source{ReadCloser: r}}
	if err := f.open(ring, b); err != nil {
		return nil, errors.Join(f.source.blame(err), r.Close())
	}
	return f, nil
}

func (f *Reader) open(ring *backupkey.Ring, b Bound) error {
	header := make([]byte, headerSize)
	n, err := io.ReadFull(f.source, header)
	if n >= len(magic) && string(header[:len(magic)]) != magic {
		return broken(errors.New("no file of a backup that this program knows"))
	}
	if err != nil {
		return broken(fmt.Errorf("cut within its head: %w", err))
	}
	bound := header[:len(magic)+keyIDBytes+1]
	key := string(bound[len(magic) : len(bound)-1])
	if bound[len(bound)-1] != '\n' {
		return broken(errors.New("no file of a backup that this program knows"))
	}
	dataKey, err := ring.Unwrap(key, header[len(bound):], b.context(purposeWrap, bound))
	if err != nil {
		return err
	}
	stream, err := cipher(dataKey)
	if err != nil {
		return err
	}
	plain, err := stream.NewDecryptingReader(f.source, b.context(purposeStream, header))
	if err != nil {
		return broken(err)
	}
	f.cipher = newAhead(plain, segmentSize)
	f.zstd, err = zstd.NewReader(f.cipher, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
	if err != nil { // it has read nothing yet
		f.cipher.stop()
		return broken(err)
	}
	f.plain = newAhead(f.zstd, segmentSize)
	return nil
}

// Read gives more of the stream.
func (f *Reader) Read(p []byte) (int, error) {
	n, err := f.plain.Read(p)
	if err == nil || errors.Is(err, io.EOF) && f.source.err == nil {
		return n, err
	}
	return n, f.source.blame(err)
}

// Close ends the reader, wherever it is.
func (f *Reader) Close() error {
	err := f.source.Close() // first: a read of it may be waiting
	f.cipher.stop()
	f.plain.stop()
	f.plain.rest.Reset(nil)
	f.plain.now = block{err: errClosed}
	f.zstd.Close()
	return err
}

// source keeps the error by which the file itself could not be read: what is made of
// half a file says nothing of it.
type source struct {
	io.ReadCloser
	err error // before what was made of it ended
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // as readers have it
		s.err = err
	}
	return n, err
}

func (s *source) blame(err error) error {
	if s.err != nil {
		return s.err
	}
	var known *continuity.Error
	if errors.As(err, &known) || errors.Is(err, errClosed) {
		return err
	}
	return broken(err)
}

// ahead reads in another goroutine, a few blocks before its reader.
type ahead struct {
	full    chan block
	empty   chan []byte
	stopped chan struct{}
	ended   chan struct{}
	now     block
	rest    *bytes.Reader
}

// block is what was read, then the error that ended it.
type block struct {
	bytes []byte
	err   error
}

const aheadBuffers = 3

func newAhead(r io.Reader, size int) *ahead {
	a := &ahead{
		full: make(chan block, aheadBuffers), empty: make(chan []byte, aheadBuffers), stopped: make(chan struct{}),
		ended: make(chan struct{}), rest: bytes.NewReader(nil),
	}
	for range aheadBuffers {
		a.empty <- nil
	}
	go a.run(r, size)
	return a
}

func (a *ahead) run(r io.Reader, size int) {
	defer close(a.ended)
	for {
		select {
		case <-a.stopped:
			return
		case p := <-a.empty:
			b := fill(r, p, size)
			a.full <- b // as many as there are have room
			if b.err != nil {
				return
			}
		}
	}
}

// fill reads until the block is full or the first error, which it tells as it is.
func fill(r io.Reader, p []byte, size int) block {
	if p == nil {
		p = make([]byte, size)
	}
	p = p[:size]
	for n := 0; ; {
		if n == size {
			return block{bytes: p}
		}
		more, err := r.Read(p[n:])
		n += more
		if err != nil {
			return block{p[:n], err}
		}
	}
}

func (a *ahead) Read(p []byte) (int, error) {
	for a.rest.Len() == 0 {
		if a.now.err != nil {
			return 0, a.now.err
		}
		if a.now.bytes != nil {
			a.empty <- a.now.bytes
			a.now.bytes = nil
		}
		select {
		case a.now = <-a.full:
			a.rest.Reset(a.now.bytes)
		case <-a.stopped:
			a.now.err = errClosed
		}
	}
	return a.rest.Read(p)
}

// stop ends the goroutine, whose source must have been ended.
func (a *ahead) stop() {
	close(a.stopped)
	<-a.ended
}
