package continuity

import (
	"encoding/base32"
	"errors"
)

// Position is a place in the journal. Positions grow with every record; they
// mean nothing else outside the journal that gave them.
type Position uint64

// Clock is the relay's running time in milliseconds: it stands still while no
// relay runs, is saved in the journal and never goes back. Ages are counted by
// it, so that a wrong wall clock can neither expire nor keep anything.
type Clock uint64

// KeyTag is the keyed hash of a route and the value of its ordering key. Two
// keys that share a tag by accident are ordered as one, which harms nothing.
type KeyTag uint64

// Receipt identifies a record: a keyed hash of route, caller and
// Idempotency-Key. Repeats of a request therefore meet the same receipt. As
// the hash key is secret it is also the token by which a client asks for it.
type Receipt [16]byte

// Fingerprint is a keyed hash of method, path, query and body: it tells a
// repeat from another request under the same Idempotency-Key.
type Fingerprint [16]byte

var receiptEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// String returns the receipt as 26 lower-case letters and digits.
func (r Receipt) String() string { return receiptEncoding.EncodeToString(r[:]) }

// Short returns the first eight characters, enough for logs and tables and too
// few to ask for the record with.
func (r Receipt) Short() string { return r.String()[:8] }

// IsZero reports whether r identifies nothing.
func (r Receipt) IsZero() bool { return r == Receipt{} }

// ErrReceipt says that a text is no receipt.
var ErrReceipt = errors.New("continuity: not a receipt: want 26 letters and digits")

// ParseReceipt reads what String wrote.
func ParseReceipt(s string) (Receipt, error) {
	var r Receipt
	if len(s) != 26 {
		return r, ErrReceipt
	}
	b, err := receiptEncoding.DecodeString(s)
	if err != nil || len(b) != len(r) {
		return r, ErrReceipt
	}
	copy(r[:], b)
	if r.String() != s { // the last character has unused bits
		return Receipt{}, ErrReceipt
	}
	return r, nil
}
