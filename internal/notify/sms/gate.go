package sms

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/netip"

	"holdfast/internal/notify"
	"holdfast/internal/secret"
)

// Callbacks are who may say what became of messages. The address that the provider
// is told is that of the channel with ?key= and the secret.
type Callbacks struct {
	Key  secret.Ref     `yaml:"key" required:"true" example:"{secret: SMS_CALLBACK}"`
	From []netip.Prefix `yaml:"from" kind:"network" example:"[203.0.113.0/24]"`
}

var errStranger = errors.New("sms: nobody who may call back")

// Admit lets in who knows the secret and comes from where the settings say.
func (c *Callbacks) Admit(r *http.Request, tools notify.Tools) error {
	if c == nil || !c.from(r.RemoteAddr) {
		return errStranger
	}
	key, err := tools.Secret(c.Key)
	if err != nil || key == "" {
		return errStranger
	}
	given, want := sha256.Sum256([]byte(r.URL.Query().Get("key"))), sha256.Sum256([]byte(key.Reveal()))
	if subtle.ConstantTimeCompare(given[:], want[:]) != 1 {
		return errStranger
	}
	return nil
}

func (c *Callbacks) from(remote string) bool {
	if len(c.From) == 0 {
		return true
	}
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return false
	}
	at, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	for _, p := range c.From {
		if p.Contains(at.Unmap()) {
			return true
		}
	}
	return false
}

// Most is how much of what a person wrote is taken.
const Most = 1000

// Bounded is a text of at most so many characters.
func Bounded(text string) string {
	runes := []rune(text)
	return string(runes[:min(len(runes), Most)])
}
