package journal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"holdfast/internal/keyring"
)

const (
	headerBytes   = 4096
	headerVersion = 1
	headerFixed   = 52
	dataKeyBytes  = 32
	headerCRC     = headerBytes - 4
)

var segmentMagic = []byte("HFSEG\r\n\x1a")

// journalID tells journals apart; keys and secrets are bound to it.
type journalID [16]byte

// header is the first block of a segment.
type header struct {
	seq     uint32
	id      journalID
	epoch   uint64
	size    int64
	wrapped []byte
}

var (
	errHeader  = errors.New("not a whole segment header")
	errVersion = errors.New("a version this program does not know")
)

// newHeader makes a header with a new epoch and a new data key.
func newHeader(ring *keyring.Ring, id journalID, seq uint32, size int64) (header, cipher.AEAD, error) {
	var random [8 + dataKeyBytes]byte
	if _, err := rand.Read(random[:]); err != nil {
		return header{}, nil, err
	}
	h := header{seq: seq, id: id, epoch: binary.LittleEndian.Uint64(random[:]), size: size}
	key := random[8:]
	var err error
	if h.wrapped, err = ring.Wrap(key, h.context()); err != nil {
		return header{}, nil, err
	}
	aead, err := newAEAD(key)
	return h, aead, err
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// unwrap returns the segment's cipher, or ErrNoKey.
func (h header) unwrap(ring *keyring.Ring) (cipher.AEAD, error) {
	key, err := ring.Unwrap(h.wrapped, h.context())
	if err != nil {
		return nil, fmt.Errorf("%w: segment %08x: %w", ErrNoKey, h.seq, err)
	}
	return newAEAD(key)
}

func (h header) context() []byte {
	return append([]byte("holdfast segment 1"), h.marshal()[12:40]...)
}

func (h header) format() frameFormat {
	return frameFormat{seq: h.seq, epoch: h.epoch, size: h.size}
}

func (h header) marshal() []byte {
	b := make([]byte, headerBytes)
	copy(b, segmentMagic)
	binary.LittleEndian.PutUint32(b[8:], headerVersion)
	binary.LittleEndian.PutUint32(b[12:], h.seq)
	copy(b[16:], h.id[:])
	binary.LittleEndian.PutUint64(b[32:], h.epoch)
	binary.LittleEndian.PutUint64(b[40:], uint64(h.size))         // #nosec G115 -- positive
	binary.LittleEndian.PutUint32(b[48:], uint32(len(h.wrapped))) // #nosec G115 -- 60 bytes
	copy(b[headerFixed:headerCRC], h.wrapped)
	binary.LittleEndian.PutUint32(b[headerCRC:], crc32.Checksum(b[:headerCRC], castagnoli))
	return b
}

// parseHeader reads a header block.
func parseHeader(b []byte) (header, error) {
	if len(b) != headerBytes || !bytes.Equal(b[:len(segmentMagic)], segmentMagic) ||
		binary.LittleEndian.Uint32(b[headerCRC:]) != crc32.Checksum(b[:headerCRC], castagnoli) {
		return header{}, errHeader
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != headerVersion {
		return header{}, fmt.Errorf("segment header: %w: %d", errVersion, v)
	}
	h := header{
		seq:   binary.LittleEndian.Uint32(b[12:]),
		epoch: binary.LittleEndian.Uint64(b[32:]),
	}
	copy(h.id[:], b[16:])
	size, wrapped := binary.LittleEndian.Uint64(b[40:]), binary.LittleEndian.Uint32(b[48:])
	if h.seq == 0 || size > math.MaxUint32 || size < minSegment || wrapped > headerCRC-headerFixed {
		return header{}, errHeader
	}
	h.size = int64(size)
	h.wrapped = bytes.Clone(b[headerFixed : headerFixed+int(wrapped)])
	return h, nil
}

// readHeader reads a segment's header and checks it against the name.
func readHeader(file File, seq uint32) (header, error) {
	b := make([]byte, headerBytes)
	if n, err := file.ReadAt(b, 0); n < len(b) {
		return header{}, fmt.Errorf("%w: %w", errHeader, err)
	}
	h, err := parseHeader(b)
	if err == nil && h.seq != seq {
		return header{}, fmt.Errorf("%w: bears the number of segment %08x", errHeader, h.seq)
	}
	return h, err
}
