package endpoint

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// Token is the secret that admin requests bear. It keeps the hash only, so
// that comparing takes the same time whatever was sent, and printing a Token
// shows nothing.
type Token struct{ sum [sha256.Size]byte }

// NewToken makes a Token of its text.
func NewToken(text string) Token { return Token{sha256.Sum256([]byte(text))} }

// Matches reports whether the request bears the token in its Authorization
// field; a token in a URL is none.
func (t Token) Matches(r *http.Request) bool {
	scheme, text, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	return t.Is(text)
}

// Is reports whether a text is the token.
func (t Token) Is(text string) bool {
	sum := sha256.Sum256([]byte(text))
	return t != (Token{}) && subtle.ConstantTimeCompare(sum[:], t.sum[:]) == 1
}

// ReadToken reads a token file and refuses one that others can read.
func ReadToken(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return "", fmt.Errorf("endpoint: %s can be read by others (mode %04o); run: chmod 600 %s", path, perm, path)
	}
	text, err := os.ReadFile(path) // #nosec G304 -- the operator names the file
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if len(token) < 32 || strings.ContainsAny(token, " \t\r\n") {
		return "", fmt.Errorf("endpoint: %s holds no token; remove it and start again", path)
	}
	return token, nil
}

// ReadOrCreateToken reads a token file, or makes one with a new random token
// where there is none.
func ReadOrCreateToken(path string) (string, error) {
	token, err := ReadToken(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return token, err
	}
	var secret [32]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return "", err
	}
	token = base64.RawURLEncoding.EncodeToString(secret[:])
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // #nosec G304 -- as above
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(token + "\n")
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return token, err
}
