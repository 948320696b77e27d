package caller

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// signed verifies requests whose sender shares a secret with us:
//
//	X-Signature: key=ID, t=SECONDS, v1=HEX
//
// where HEX is HMAC-SHA256 under the secret of ID over
// "v1\nMETHOD\nTARGET\nSECONDS\nHEX(SHA-256(BODY))". A request that somebody
// sends again within the window is the same request: its Idempotency-Key, if
// the route knows it by one, makes the repeat harmless, and a key of its body is
// under the signature.
type signed struct {
	header string
	window time.Duration
	keys   *file[map[string][]byte]
	now    func() time.Time
}

const (
	wayHMAC     = "hmac:"
	leastSecret = 16
)

func newHMAC(c *continuity.VerifyHMAC, o Options) *signed {
	return &signed{header: c.Header, window: c.Window, now: o.Now, keys: newFile(c.KeysFile, o, parseSecrets)}
}

func parseSecrets(text []byte) (map[string][]byte, error) {
	keys := make(map[string][]byte)
	err := lines(text, func(name, value string, n int) error {
		if name == "" || len(value) < leastSecret {
			return fmt.Errorf("line %d: want id:secret, of at least %d bytes", n, leastSecret)
		}
		keys[name] = []byte(value)
		return nil
	})
	return keys, err
}

func (s *signed) challenge() string { return `HMAC realm="holdfast"` }
func (s *signed) close()            {}

func (s *signed) verify(req *Request) (Identity, error) {
	value, ok, twice := field(req.Header, s.header)
	switch {
	case !ok:
		return Identity{}, errAbsent
	case twice:
		return Identity{}, refuse(WhyMalformed, nil)
	}
	var id, stamp, sum string
	for part := range strings.SplitSeq(value, ",") {
		name, text, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "key":
			id = text
		case "t":
			stamp = text
		case "v1":
			sum = text
		}
	}
	given, err := hex.DecodeString(sum)
	seconds, timeErr := strconv.ParseInt(stamp, 10, 64)
	if id == "" || err != nil || len(given) != sha256.Size || timeErr != nil {
		return Identity{}, refuse(WhyMalformed, nil)
	}
	keys, ok := s.keys.get()
	if !ok {
		return Identity{}, claiming(unavailable(nil), wayHMAC, id)
	}
	secret, ok := keys[id]
	if !ok {
		return Identity{}, claiming(refuse(WhyUnknown, nil), wayHMAC, id)
	}
	if !req.Whole {
		return Identity{}, claiming(refuse(WhyBody, nil), wayHMAC, id) // what was not read can't be verified
	}
	if !hmac.Equal(given, Sign(secret, req.Method, req.Target, stamp, req.Body)) {
		return Identity{}, claiming(refuse(WhySignature, nil), wayHMAC, id)
	}
	if off := s.now().Sub(time.Unix(seconds, 0)); off > s.window || off < -s.window {
		return Identity{}, claiming(refuse(WhyWindow, nil), wayHMAC, id)
	}
	return Identity{Name: wayHMAC + id}, nil
}

// Sign returns the signature of a request.
func Sign(secret []byte, method, target, stamp string, body []byte) []byte {
	sum := sha256.Sum256(body)
	mac := hmac.New(sha256.New, secret)
	_, _ = io.WriteString(mac, "v1\n"+method+"\n"+target+"\n"+stamp+"\n"+hex.EncodeToString(sum[:]))
	return mac.Sum(nil)
}
