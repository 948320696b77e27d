package backupkey

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

const (
	format      = "holdfast/backup-keys@1"
	maxDocument = 1 << 20
	saltBytes   = 16

	// MinPassphrase is how many characters a passphrase has at least.
	MinPassphrase = 12
)

// Kinds of guards, as they stand in a ring's file.
const (
	GuardMode       = "mode"       // whoever can read the file has the keys
	GuardPassphrase = "passphrase" // argon2id
	GuardKey        = "key"        // a key that lies elsewhere
)

// Guard closes a ring's file: a passphrase, or a key from elsewhere. The zero Guard
// leaves it to the file's mode.
type Guard struct {
	Passphrase string
	Key        []byte // 32 bytes, see ReadKey
}

func (g Guard) kind() string {
	switch {
	case g.Key != nil:
		return GuardKey
	case g.Passphrase != "":
		return GuardPassphrase
	}
	return GuardMode
}

// document is a ring's file. What is not secret can be read without opening it, and is
// bound to what is.
type document struct {
	Format  string   `json:"format"`
	Guard   string   `json:"guard"`
	Argon2  *cost    `json:"argon2id,omitempty"`
	Current string   `json:"current"`
	Keys    []public `json:"keys"`
	Sealed  string   `json:"sealed"` // the keys' secrets in their order, encrypted where there is a guard
}

type cost struct {
	Salt    string `json:"salt"`
	Time    uint32 `json:"time"`
	Memory  uint32 `json:"memory"` // KiB
	Threads uint8  `json:"threads"`
}

type public struct {
	ID   string    `json:"id"`
	Made time.Time `json:"made"`
}

// standard is the second of the choices that RFC 9106 recommends. What a file asks for
// is bounded, so that a foreign one can't use up the machine.
var standard, most = cost{Time: 3, Memory: 64 << 10, Threads: 4}, cost{Time: 16, Memory: 1 << 20, Threads: 16}

// Marshal writes the ring as a file closed by the guard; with ids, only these keys, of
// which the newest is the current one unless the ring's own is among them.
func (r *Ring) Marshal(g Guard, ids ...string) ([]byte, error) {
	d := document{Format: format, Guard: g.kind()}
	var secrets []byte
	for _, k := range r.keys {
		if len(ids) == 0 || slices.Contains(ids, k.id) {
			d.Keys = append(d.Keys, public{k.id, k.made})
			secrets = append(secrets, k.secret...)
			if d.Current != r.current {
				d.Current = k.id
			}
		}
	}
	for _, id := range ids {
		if r.index(id) < 0 {
			return nil, unknown(id)
		}
	}
	switch {
	case d.Guard == GuardPassphrase && utf8.RuneCountInString(g.Passphrase) < MinPassphrase:
		return nil, noKey("weak", nil, "least", MinPassphrase)
	case d.Guard == GuardPassphrase:
		salt := make([]byte, saltBytes)
		if _, err := rand.Read(salt); err != nil {
			return nil, err
		}
		c := standard
		c.Salt = base64.StdEncoding.EncodeToString(salt)
		d.Argon2 = &c
	}
	aead, context, err := d.closedBy(g)
	if err != nil {
		return nil, err
	}
	if aead != nil {
		if secrets, err = aead.Encrypt(secrets, context); err != nil {
			return nil, err
		}
	}
	d.Sealed = base64.StdEncoding.EncodeToString(secrets)
	raw, err := json.MarshalIndent(d, "", "  ")
	return append(raw, '\n'), err
}

// Unmarshal opens a ring's file.
func Unmarshal(raw []byte, g Guard) (*Ring, error) {
	d, err := parse(raw)
	if err != nil {
		return nil, err
	}
	if kind := g.kind(); kind != d.Guard && d.Guard != GuardMode {
		return nil, noKey("needed", nil, "guard", d.Guard)
	}
	secrets, err := base64.StdEncoding.DecodeString(d.Sealed)
	if err != nil {
		return nil, badForm(err)
	}
	aead, context, err := d.closedBy(g)
	if err != nil {
		return nil, err
	}
	if aead != nil {
		if secrets, err = aead.Decrypt(secrets, context); err != nil {
			return nil, noKey("closed", err, "guard", d.Guard)
		}
	}
	if len(secrets) != secretBytes*len(d.Keys) {
		return nil, badForm(nil)
	}
	r := &Ring{current: d.Current}
	for i, p := range d.Keys {
		k, err := newKey(secrets[i*secretBytes:(i+1)*secretBytes], p.Made)
		if err != nil {
			return nil, err
		}
		if k.id != p.ID || r.index(k.id) >= 0 {
			return nil, badForm(errors.New("a key is not the one that its id names"))
		}
		r.keys = append(r.keys, k)
	}
	return r, nil
}

// GuardOf says what a ring's file is closed by, for whoever has to ask for it.
func GuardOf(raw []byte) (string, error) {
	d, err := parse(raw)
	return d.Guard, err
}

func parse(raw []byte) (document, error) {
	var d document
	if len(raw) > maxDocument {
		return d, badForm(nil)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return d, badForm(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return d, badForm(err)
	}
	current := slices.ContainsFunc(d.Keys, func(p public) bool { return p.ID == d.Current })
	guard := d.Guard == GuardMode || d.Guard == GuardPassphrase || d.Guard == GuardKey
	if d.Format != format || !guard || !current || len(d.Keys) > maxKeys || (d.Argon2 != nil) != (d.Guard == GuardPassphrase) {
		return d, badForm(nil)
	}
	if c := d.Argon2; c != nil && (c.Time == 0 || c.Threads == 0 || c.Memory == 0 || c.Time > most.Time || c.Memory > most.Memory || c.Threads > most.Threads) {
		return d, badForm(nil)
	}
	return d, nil
}

// closedBy makes of a guard what seals the secrets, and of the rest of the document what
// they are bound to. It is nil where only the mode guards them.
func (d document) closedBy(g Guard) (*subtle.AESGCM, []byte, error) {
	var kek []byte
	switch d.Guard {
	case GuardMode:
		return nil, nil, nil
	case GuardKey:
		kek = g.Key
	case GuardPassphrase:
		salt, err := base64.StdEncoding.DecodeString(d.Argon2.Salt)
		if err != nil {
			return nil, nil, badForm(err)
		}
		// The same passphrase can be typed in two ways, composed and not.
		kek = argon2.IDKey([]byte(norm.NFC.String(g.Passphrase)), salt, d.Argon2.Time, d.Argon2.Memory, d.Argon2.Threads, secretBytes)
	}
	d.Sealed = ""
	context, err := json.Marshal(d)
	if err != nil {
		return nil, nil, err
	}
	aead, err := subtle.NewAESGCM(kek)
	if err != nil {
		return nil, nil, noKey("guard-form", err)
	}
	return aead, context, nil
}

// NewKey makes a key that closes rings, as text for a file.
func NewKey() ([]byte, error) {
	k := make([]byte, secretBytes)
	_, err := rand.Read(k)
	return []byte(base64.StdEncoding.EncodeToString(k) + "\n"), err
}

// ReadKey reads what NewKey made.
func ReadKey(text []byte) ([]byte, error) {
	k, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(k) != secretBytes {
		return nil, noKey("guard-form", err)
	}
	return k, nil
}

func badForm(cause error) error { return noKey("form", cause) }
