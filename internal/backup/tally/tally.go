package tally

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"time"
)

// Total is the count of things and the sum of their hashes, modulo 2^256.
type Total struct {
	count uint64
	sum   [4]uint64
	buf   []byte
}

// Count is how many things there are.
func (t *Total) Count() string { return strconv.FormatUint(t.count, 10) }

// Hash is the sum in hexadecimal.
func (t *Total) Hash() string {
	var b [32]byte
	for i, w := range t.sum {
		binary.LittleEndian.PutUint64(b[8*i:], w)
	}
	return hex.EncodeToString(b[:])
}

// Add counts a thing in by its hash.
func (t *Total) Add(hash [32]byte) {
	t.count++
	var carry uint64
	for i := range t.sum {
		t.sum[i], carry = bits.Add64(t.sum[i], binary.LittleEndian.Uint64(hash[8*i:]), carry)
	}
}

// Remove counts a thing out that was counted in.
func (t *Total) Remove(hash [32]byte) {
	t.count--
	var borrow uint64
	for i := range t.sum {
		t.sum[i], borrow = bits.Sub64(t.sum[i], binary.LittleEndian.Uint64(hash[8*i:]), borrow)
	}
}

// AddRow counts in a row of a database, as database/sql scans it.
func (t *Total) AddRow(values []any) {
	t.buf = AppendRow(t.buf[:0], values)
	t.Add(sha256.Sum256(t.buf))
}

// AppendRow appends values so that different rows never look alike.
func AppendRow(b []byte, values []any) []byte {
	b = binary.AppendUvarint(b, uint64(len(values)))
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			b = append(b, 'n')
		case int64:
			b = binary.AppendVarint(append(b, 'i'), v)
		case uint64:
			b = binary.AppendUvarint(append(b, 'u'), v)
		case float64:
			b = binary.LittleEndian.AppendUint64(append(b, 'f'), math.Float64bits(v))
		case bool:
			b = strconv.AppendBool(append(b, 'l'), v)
		case string:
			b = append(binary.AppendUvarint(append(b, 's'), uint64(len(v))), v...)
		case []byte:
			b = append(binary.AppendUvarint(append(b, 'b'), uint64(len(v))), v...)
		case time.Time:
			b = append(v.UTC().AppendFormat(append(b, 't'), time.RFC3339Nano), 0)
		default:
			s := fmt.Sprint(v)
			b = append(binary.AppendUvarint(append(b, 'x'), uint64(len(s))), s...)
		}
	}
	return b
}
