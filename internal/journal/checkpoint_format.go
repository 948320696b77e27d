package journal

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/keyring"
)

const (
	checkpointHead    = 64
	checkpointVersion = 1
	checkpointChunk   = 256 << 10
	maxChunk          = 16 << 20
	chunkHead         = 8
	lastChunk         = 1 << 31
)

var checkpointMagic = []byte("HFCKP\r\n\x1a")

var (
	errCheckpoint = errors.New("not a whole checkpoint header")
	errChunk      = errors.New("a chunk is not whole")
	errTrailing   = errors.New("the file goes on behind the last chunk")
)

// checkpointHeader is the head of a checkpoint file.
type checkpointHeader struct {
	chunk int
	id    journalID
	at    continuity.Position
	salt  [16]byte
}

func (h checkpointHeader) marshal() []byte {
	b := make([]byte, checkpointHead)
	copy(b, checkpointMagic)
	binary.LittleEndian.PutUint32(b[8:], checkpointVersion)
	binary.LittleEndian.PutUint32(b[12:], uint32(h.chunk)) // #nosec G115 -- a constant, or read from 32 bits
	copy(b[16:], h.id[:])
	binary.LittleEndian.PutUint64(b[32:], uint64(h.at))
	copy(b[40:], h.salt[:])
	binary.LittleEndian.PutUint32(b[60:], crc32.Checksum(b[:60], castagnoli))
	return b
}

func parseCheckpointHeader(b []byte) (h checkpointHeader, err error) {
	if len(b) != checkpointHead || !bytes.Equal(b[:8], checkpointMagic) ||
		binary.LittleEndian.Uint32(b[60:]) != crc32.Checksum(b[:60], castagnoli) {
		return h, errCheckpoint
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != checkpointVersion {
		return h, fmt.Errorf("checkpoint: %w: %d", errVersion, v)
	}
	chunk := binary.LittleEndian.Uint32(b[12:])
	if chunk == 0 || chunk > maxChunk {
		return h, errCheckpoint
	}
	h.chunk, h.at = int(chunk), continuity.Position(binary.LittleEndian.Uint64(b[32:]))
	copy(h.id[:], b[16:])
	copy(h.salt[:], b[40:])
	return h, nil
}

const checkpointPurpose = "holdfast checkpoint 1"

func (h checkpointHeader) keySalt() []byte { return append(h.id[:], h.salt[:]...) }

func (h checkpointHeader) cipher(ring *keyring.Ring) (cipher.AEAD, error) {
	key, err := ring.Derive(checkpointPurpose, h.keySalt(), dataKeyBytes)
	if err != nil {
		return nil, err
	}
	return newAEAD(key)
}

// ciphers are those of every master key, the newest first: while keys are
// exchanged a checkpoint may be sealed under an older one.
func (h checkpointHeader) ciphers(ring *keyring.Ring) ([]cipher.AEAD, error) {
	keys, err := ring.DeriveEach(checkpointPurpose, h.keySalt(), dataKeyBytes)
	if err != nil {
		return nil, err
	}
	var out []cipher.AEAD
	for _, key := range keys {
		c, err := newAEAD(key)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func chunkNonce(index uint64) (nonce [12]byte) {
	binary.BigEndian.PutUint64(nonce[4:], index)
	return nonce
}

func chunkChecksum(index uint64, chunk []byte) uint32 {
	var seed [8]byte
	binary.LittleEndian.PutUint64(seed[:], index)
	crc := crc32.Update(crc32.Checksum(seed[:], castagnoli), castagnoli, chunk[:4])
	return crc32.Update(crc, castagnoli, chunk[chunkHead:])
}

// checkpointWriter seals what is written to it, chunk by chunk.
type checkpointWriter struct {
	file   File
	key    cipher.AEAD
	off    int64
	index  uint64
	synced int64
	plain  []byte
	sealed []byte
}

func newCheckpointWriter(file File, ring *keyring.Ring, id journalID, at continuity.Position) (*checkpointWriter, error) {
	h := checkpointHeader{chunk: checkpointChunk, id: id, at: at}
	if _, err := rand.Read(h.salt[:]); err != nil {
		return nil, err
	}
	key, err := h.cipher(ring)
	if err != nil {
		return nil, err
	}
	if _, err := file.WriteAt(h.marshal(), 0); err != nil {
		return nil, err
	}
	return &checkpointWriter{file: file, key: key, off: checkpointHead, plain: make([]byte, 0, checkpointChunk)}, nil
}

// Write implements io.Writer.
func (w *checkpointWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if len(w.plain) == cap(w.plain) {
			if err := w.flush(0); err != nil {
				return 0, err
			}
		}
		k := min(len(p), cap(w.plain)-len(w.plain))
		w.plain = append(w.plain, p[:k]...)
		p = p[k:]
	}
	return n, nil
}

func (w *checkpointWriter) flush(last uint32) error {
	var head [chunkHead]byte
	binary.LittleEndian.PutUint32(head[:], uint32(len(w.plain))|last) // #nosec G115 -- at most a chunk
	nonce := chunkNonce(w.index)
	w.sealed = w.key.Seal(append(w.sealed[:0], head[:]...), nonce[:], w.plain, head[:4])
	binary.LittleEndian.PutUint32(w.sealed[4:], chunkChecksum(w.index, w.sealed))
	if _, err := w.file.WriteAt(w.sealed, w.off); err != nil {
		return err
	}
	w.off += int64(len(w.sealed))
	w.index++
	w.plain = w.plain[:0]
	// Small steps and as long a rest after each: a batch's sync waits for one of
	// them at most, and then has the disk to itself.
	if w.off-w.synced < syncStep {
		return nil
	}
	w.synced = w.off
	began := time.Now()
	err := w.file.Sync()
	time.Sleep(min(time.Since(began), restMost))
	return err
}

const syncStep = 1 << 20

// checkpointReader gives what was written to a checkpointWriter. Without a key
// it gives nothing and checks only.
type checkpointReader struct {
	header checkpointHeader
	w      *window
	key    cipher.AEAD
	off    int64
	index  uint64
	last   bool
	plain  []byte
	rest   []byte
}

func newCheckpointReader(file File) (*checkpointReader, error) {
	size, err := file.Size()
	if err != nil {
		return nil, err
	}
	if size < checkpointHead {
		return nil, errCheckpoint
	}
	w := newWindow(file, size)
	head, err := w.bytes(0, checkpointHead)
	if err != nil {
		return nil, err
	}
	h, err := parseCheckpointHeader(head)
	if err != nil {
		return nil, err
	}
	return &checkpointReader{header: h, w: w, off: checkpointHead}, nil
}

// next reads the next chunk; io.EOF behind the last.
func (r *checkpointReader) next() error {
	if r.last {
		if r.off != r.w.size {
			return errTrailing
		}
		return io.EOF
	}
	if r.w.size-r.off < chunkHead+sealBytes {
		return errChunk
	}
	head, err := r.w.bytes(r.off, chunkHead)
	if err != nil {
		return err
	}
	field := binary.LittleEndian.Uint32(head)
	total := chunkHead + int(field&^lastChunk) + sealBytes
	if total-chunkHead-sealBytes > r.header.chunk || r.off+int64(total) > r.w.size {
		return errChunk
	}
	chunk, err := r.w.bytes(r.off, total)
	if err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(chunk[4:]) != chunkChecksum(r.index, chunk) {
		return errChunk
	}
	if r.key != nil {
		nonce := chunkNonce(r.index)
		if r.plain, err = r.key.Open(r.plain[:0], nonce[:], chunk[chunkHead:], chunk[:4]); err != nil {
			return errSeal
		}
		r.rest = r.plain
	}
	r.off += int64(total)
	r.index++
	r.last = field&lastChunk != 0
	return nil
}

// Read implements io.Reader.
func (r *checkpointReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// check reads all chunks.
func (r *checkpointReader) check() error {
	for {
		if err := r.next(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
