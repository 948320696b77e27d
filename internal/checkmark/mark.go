package checkmark

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
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

// Set marks a request as a check's. Without a key it only says so, which nobody
// has to believe.
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
	r.Header.Set(Header, check+";"+at+";"+sign(key, check, at, r.Method, host, r.URL.RequestURI()))
}

// Verify returns the check whose request it is, by the value of the field as it
// came.
func Verify(value string, key []byte, method, host, target string, now time.Time) (check string, ok bool) {
	if len(key) < LeastKey {
		return "", false
	}
	check, rest, _ := strings.Cut(value, ";")
	at, mac, signed := strings.Cut(rest, ";")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if !signed || err != nil || check == "" {
		return "", false
	}
	if !hmac.Equal([]byte(mac), []byte(sign(key, check, at, method, host, target))) {
		return "", false
	}
	if apart := now.Sub(time.Unix(seconds, 0)).Abs(); apart > window {
		return "", false
	}
	return check, true
}

func sign(key []byte, parts ...string) string {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		_, _ = mac.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
