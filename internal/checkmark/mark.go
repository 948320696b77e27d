package checkmark

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Header is the field's name.
const Header = "Holdfast-Check"

// LeastKey is how many bytes a key has at least.
const LeastKey = 32

// window is how far the clocks of both sides may be apart, the way included.
const window = time.Minute

// Mark is what a good field says.
type Mark struct {
	Check string // whose request it is; empty: nobody's
	body  string // its body's digest
}

// Covers reports whether the mark was made for a body.
func (m Mark) Covers(body []byte) bool {
	sum := sha256.Sum256(body)
	return m.body == base64.RawURLEncoding.EncodeToString(sum[:])
}

// Set marks a request as a check's. Without a key it only says so, which nobody
// has to believe. A body that can't be read twice is not covered.
func Set(r *http.Request, key []byte, check string, now time.Time) {
	if len(key) == 0 {
		r.Header.Set(Header, check)
		return
	}
	at := strconv.FormatInt(now.Unix(), 10)
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	body := digest(r)
	r.Header.Set(Header, check+";"+at+";"+body+";"+sign(key, check, at, body, r.Method, host, r.URL.RequestURI()))
}

// digest is that of a request's body, or empty.
func digest(r *http.Request) string {
	hash := sha256.New()
	if r.Body != nil && r.Body != http.NoBody {
		if r.GetBody == nil {
			return ""
		}
		body, err := r.GetBody()
		if err != nil {
			return ""
		}
		defer func() { _ = body.Close() }()
		if _, err := io.Copy(hash, body); err != nil {
			return ""
		}
	}
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil))
}

// Verify returns what the value of the field says, as it came. Whether it is for
// the body, too, the mark tells once that is read.
func Verify(value string, key []byte, method, host, target string, now time.Time) (m Mark, ok bool) {
	parts := strings.Split(value, ";")
	if len(key) < LeastKey || len(parts) != 4 || parts[0] == "" {
		return Mark{}, false
	}
	check, at, body, mac := parts[0], parts[1], parts[2], parts[3]
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || !hmac.Equal([]byte(mac), []byte(sign(key, check, at, body, method, host, target))) {
		return Mark{}, false
	}
	if apart := now.Sub(time.Unix(seconds, 0)).Abs(); apart > window {
		return Mark{}, false
	}
	return Mark{check, body}, true
}

func sign(key []byte, parts ...string) string {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		_, _ = mac.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
