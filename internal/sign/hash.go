package sign

import (
	"crypto/hmac"
	"crypto/sha1" // #nosec G505 -- what some providers want
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"hash"
	"strings"
)

func mac(of func() hash.Hash, key []byte, text string) []byte {
	m := hmac.New(of, key)
	_, _ = m.Write([]byte(text)) // never fails
	return m.Sum(nil)
}

func sha256HMAC(key []byte, text string) []byte { return mac(sha256.New, key, text) }

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// hashes by the names of the configuration.
var hashes = map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}

// encodings by the names of the configuration.
var encodings = map[string]func([]byte) string{
	"hex": hex.EncodeToString, "HEX": func(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) },
	"base64": base64Of, "base64url": base64.RawURLEncoding.EncodeToString,
}

// quote writes a JSON string.
func quote(text string) string {
	b, _ := json.Marshal(text) // of a string: cannot fail
	return string(b)
}

// query returns the first value of a parameter.
func query(target, name string) string {
	_, raw, _ := strings.Cut(target, "?")
	for _, p := range pairs(raw) {
		if p.name == name {
			return p.value
		}
	}
	return ""
}
