package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"regexp"
	"strings"

	"holdfast/internal/secret"
)

// A bearer secret is PREFIX_ID_RANDOM: the prefix tells people and scanners of
// repositories what it is, the id finds its object, the random part is 256 bits
// followed by a checksum, so that a mistyped one is told apart without a look.
const (
	tokenPrefix   = "hft"
	sessionPrefix = "hfs"
)

var (
	plain32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	bearing = regexp.MustCompile(`^(hft|hfs)_([a-z2-7]{16})_([a-z2-7]{52})([a-z2-7]{7})$`)
)

// issue makes a bearer secret and returns the hash that is kept.
func issue(prefix string) (id string, text secret.Text, hash string) {
	id = plain32.EncodeToString(random(10))
	whole := prefix + "_" + id + "_" + plain32.EncodeToString(random(32))
	whole += checksum(whole)
	return id, secret.Of(whole), hashed(whole)
}

// parse tells what a bearer secret says of itself.
func parse(text string) (prefix, id string, ok bool) {
	m := bearing.FindStringSubmatch(text)
	if m == nil || checksum(strings.TrimSuffix(text, m[4])) != m[4] {
		return "", "", false
	}
	return m[1], m[2], true
}

func checksum(text string) string {
	return plain32.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(text))))
}

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// proven says whether the hash is that of the text.
func proven(text, hash string) bool {
	return hash != "" && subtle.ConstantTimeCompare([]byte(hashed(text)), []byte(hash)) == 1
}
