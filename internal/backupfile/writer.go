package backupfile

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"runtime"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"holdfast/internal/backupkey"
)

var errAborted = errors.New("backupfile: given up before its end")

// Writer writes the file of a piece. It is to be closed or aborted.
type Writer struct {
	zstd   *zstd.Encoder
	cipher io.WriteCloser
	out    *behind
	file   Written
	done   bool
}

// Written tells of a file what its manifest has to say.
type Written struct {
	Bytes  int64
	SHA256 string
	Plain  int64
	Key    string
}

// NewWriter begins a file that is bound to what it is, under the ring's current key.
func NewWriter(w io.Writer, ring *backupkey.Ring, b Bound) (*Writer, error) {
	dataKey := make([]byte, dataKeySize)
	if _, err := rand.Read(dataKey); err != nil {
		return nil, err
	}
	header := append([]byte(magic), ring.Current()+"\n"...)
	key, wrapped, err := ring.Wrap(dataKey, b.context(purposeWrap, header))
	if err != nil {
		return nil, err
	}
	header = append(header, wrapped...)
	stream, err := cipher(dataKey)
	if err != nil {
		return nil, err
	}
	out := newBehind(w)
	f := &Writer{out: out, file: Written{Key: key}}
	if _, err = out.Write(header); err == nil {
		f.cipher, err = stream.NewEncryptingWriter(out, b.context(purposeStream, header))
	}
	if err == nil {
		// Blocks are compressed by several at once; the sum over all of them is what the
		// encryption makes anyhow.
		f.zstd, err = zstd.NewWriter(f.cipher, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false),
			zstd.WithWindowSize(windowSize), zstd.WithConcurrentBlocks(true), zstd.WithEncoderConcurrency(workers()))
	}
	if err != nil {
		out.abort()
		return nil, err
	}
	return f, nil
}

// Write takes more of the stream.
func (f *Writer) Write(p []byte) (int, error) {
	if f.done {
		return 0, errAborted
	}
	n, err := f.zstd.Write(p)
	f.file.Plain += int64(n)
	return n, err
}

// Close writes the end, without which no reader takes the file for complete. It does not
// close what the file is written to.
func (f *Writer) Close() (Written, error) {
	if f.done {
		return Written{}, errAborted
	}
	f.done = true
	err := f.zstd.Close()
	if err == nil {
		err = f.cipher.Close()
	}
	if err != nil {
		f.out.abort()
		return Written{}, err
	}
	if err := f.out.close(); err != nil {
		return Written{}, err
	}
	f.file.Bytes, f.file.SHA256 = f.out.bytes, hex.EncodeToString(f.out.sum.Sum(nil))
	return f.file, nil
}

// Abort gives the file up: what was written of it has no end. After Close it does
// nothing.
func (f *Writer) Abort() {
	if f.done {
		return
	}
	f.done = true
	f.out.given.Store(true)
	_ = f.zstd.Close() // ends its workers; what it has left goes nowhere
	f.out.abort()
}

// workers is how many compress: more would only take memory.
func workers() int { return min(runtime.GOMAXPROCS(0), 4) }

// behind writes what it is given in another goroutine, and sums it up there, so that
// compressing does not wait for the network.
type behind struct {
	w     io.Writer
	full  chan []byte
	empty chan []byte
	ended chan struct{}
	fail  chan struct{} // closed once writing failed
	err   error         // before fail was closed
	sum   hash.Hash
	bytes int64
	given atomic.Bool // up: nothing more is taken
}

const behindBuffers = 4

func newBehind(w io.Writer) *behind {
	b := &behind{
		w: w, sum: sha256.New(), full: make(chan []byte, behindBuffers), empty: make(chan []byte, behindBuffers),
		ended: make(chan struct{}), fail: make(chan struct{}),
	}
	for range behindBuffers {
		b.empty <- nil
	}
	go b.run()
	return b
}

func (b *behind) run() {
	defer close(b.ended)
	for p := range b.full {
		b.sum.Write(p) // never fails
		n, err := b.w.Write(p)
		b.bytes += int64(n)
		if err == nil && n < len(p) {
			err = io.ErrShortWrite
		}
		if err != nil {
			b.err = err
			close(b.fail)
			return
		}
		b.empty <- p // as many as there are have room
	}
}

func (b *behind) Write(p []byte) (int, error) {
	if b.given.Load() {
		return 0, errAborted
	}
	select {
	case <-b.fail:
		return 0, b.err
	case buffer := <-b.empty:
		b.full <- append(buffer[:0], p...) // so it has here
		return len(p), nil
	}
}

// close waits until all is written. Nobody may write any more.
func (b *behind) close() error {
	close(b.full)
	<-b.ended
	return b.err
}

// abort writes what was given already and nothing else.
func (b *behind) abort() { _ = b.close() } // why it is given up is known
