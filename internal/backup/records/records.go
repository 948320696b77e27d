package records

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
)

// Most is how long a record's payload may be.
const Most = 2 << 20

const end = 0 // the kind of the last record

// ErrDamaged says that a stream is not what a Writer wrote.
var ErrDamaged = errors.New("the stream is damaged")

// Writer writes one stream.
type Writer struct {
	out   *bufio.Writer
	sum   hash.Hash
	count uint64
	head  [1 + binary.MaxVarintLen64]byte
}

// NewWriter begins a stream. The magic says what it is, and in which version.
func NewWriter(w io.Writer, magic string) (*Writer, error) {
	out := &Writer{out: bufio.NewWriterSize(w, 1<<18), sum: sha256.New()}
	return out, out.write([]byte(magic + "\n"))
}

func (w *Writer) write(b []byte) error {
	w.sum.Write(b)
	_, err := w.out.Write(b)
	return err
}

// Put writes a record; its kind is not 0.
func (w *Writer) Put(kind byte, payload []byte) error {
	if len(payload) > Most {
		return fmt.Errorf("a record of %d bytes", len(payload))
	}
	w.count++
	return w.put(kind, payload)
}

func (w *Writer) put(kind byte, payload []byte) error {
	w.head[0] = kind
	n := 1 + binary.PutUvarint(w.head[1:], uint64(len(payload)))
	if err := w.write(w.head[:n]); err != nil {
		return err
	}
	return w.write(payload)
}

// PutJSON writes a record whose payload is v.
func (w *Writer) PutJSON(kind byte, v any) error {
	payload, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.Put(kind, payload)
}

// Close writes the end. It does not close what it writes to.
func (w *Writer) Close() error {
	last := binary.LittleEndian.AppendUint64(nil, w.count)
	if err := w.put(end, w.sum.Sum(last)); err != nil {
		return err
	}
	return w.out.Flush()
}

// Reader reads one stream.
type Reader struct {
	in      *bufio.Reader
	sum     hash.Hash
	count   uint64
	payload []byte
	head    []byte
	ended   bool
}

// NewReader begins to read a stream of this magic.
func NewReader(r io.Reader, magic string) (*Reader, error) {
	in := &Reader{in: bufio.NewReaderSize(r, 1<<18), sum: sha256.New()}
	got := make([]byte, len(magic)+1)
	if _, err := io.ReadFull(in.in, got); err != nil {
		return nil, cut(err)
	}
	if !bytes.Equal(got, []byte(magic+"\n")) {
		return nil, fmt.Errorf("%w: it does not begin as %s", ErrDamaged, magic)
	}
	in.sum.Write(got)
	return in, nil
}

// cut makes an end that comes too early one that nobody takes for the end. What the
// stream's source says of itself stays as it is: where a connection ended there is an
// io.EOF in that, too, and the stream is not to blame.
func cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF { //nolint:errorlint // as readers have it
		return fmt.Errorf("%w: %w", ErrDamaged, io.ErrUnexpectedEOF)
	}
	return err
}

// Next returns the next record, whose payload holds until the next call, and io.EOF
// once the end was read and proven.
func (r *Reader) Next() (kind byte, payload []byte, err error) {
	if r.ended {
		return 0, nil, io.EOF
	}
	kind, err = r.in.ReadByte()
	if err != nil {
		return 0, nil, cut(err)
	}
	n, err := binary.ReadUvarint(r.in)
	if err != nil {
		return 0, nil, cut(err)
	}
	if n > Most {
		return 0, nil, fmt.Errorf("%w: a record of %d bytes", ErrDamaged, n)
	}
	if uint64(cap(r.payload)) < n {
		r.payload = make([]byte, max(n, 1<<12))
	}
	payload = r.payload[:n]
	if _, err := io.ReadFull(r.in, payload); err != nil {
		return 0, nil, cut(err)
	}
	if kind == end {
		return 0, nil, r.last(payload)
	}
	r.head = binary.AppendUvarint(append(r.head[:0], kind), n)
	r.sum.Write(r.head)
	r.sum.Write(payload)
	r.count++
	return kind, payload, nil
}

func (r *Reader) last(payload []byte) error {
	want := r.sum.Sum(binary.LittleEndian.AppendUint64(nil, r.count))
	if !bytes.Equal(payload, want) {
		return fmt.Errorf("%w: its end proves other records", ErrDamaged)
	}
	switch _, err := r.in.ReadByte(); {
	case err == nil:
		return fmt.Errorf("%w: it goes on behind its end", ErrDamaged)
	case err != io.EOF: //nolint:errorlint // as above
		return err
	}
	r.ended = true
	return io.EOF
}
