package command

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Masked stands in the place of a secret.
const Masked = "******"

// shortestSecret is the least length of what is masked: less would say too little to
// be a secret, and mask half of every text.
const shortestSecret = 4

// output keeps the beginning and the end of what a program writes, without secrets. A
// secret is masked before anything is cut, so that no half of one is left.
type output struct {
	mu      sync.Mutex
	secrets [][]byte // the longest first
	longest int
	carry   []byte // may be the beginning of a secret
	head    []byte
	tail    []byte
	half    int
	cut     bool
}

func newOutput(most int, hidden []string) *output {
	o := &output{half: max(most/2, 256)}
	for _, secret := range hidden {
		if len(secret) < shortestSecret {
			continue
		}
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(secret))} {
			o.secrets = append(o.secrets, []byte(form))
			o.longest = max(o.longest, len(form))
		}
	}
	slices.SortFunc(o.secrets, func(a, b []byte) int { return len(b) - len(a) })
	return o
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := append(o.carry, p...)
	text = o.mask(text)
	keep := min(len(text), max(o.longest-1, 0))
	o.carry = slices.Clone(text[len(text)-keep:])
	o.take(text[:len(text)-keep])
	return len(p), nil
}

func (o *output) mask(text []byte) []byte {
	for _, s := range o.secrets {
		text = bytes.ReplaceAll(text, s, []byte(Masked))
	}
	return text
}

func (o *output) take(text []byte) {
	if room := o.half - len(o.head); room > 0 {
		n := min(room, len(text))
		o.head, text = append(o.head, text[:n]...), text[n:]
	}
	if o.tail = append(o.tail, text...); len(o.tail) > o.half {
		o.cut = true
		o.tail = slices.Clone(o.tail[len(o.tail)-o.half:])
	}
}

// text is what was kept.
func (o *output) text() (text string, cut bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.take(o.carry)
	o.carry = nil
	middle := ""
	if o.cut {
		middle = "\n...\n"
	}
	text = strings.ToValidUTF8(string(o.head)+middle+string(o.tail), "\uFFFD")
	return strings.ReplaceAll(text, "\x00", "\uFFFD"), o.cut
}
