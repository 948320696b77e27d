package sign

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"

	"holdfast/internal/continuity"
)

// Placeholders are what the text and the fields of a generic signature may
// hold; a field may hold {signature} as well.
var Placeholders = []string{
	"{method}", "{path}", "{query}", "{target}", "{host}", "{timestamp}", "{timestamp_ms}", "{nonce}", "{body}", "{body_hash}",
	"{id}", "{idempotency_key}",
}

// genericHMAC signs a text made of the request's parts.
type genericHMAC struct{ c continuity.Sign }

func newHMAC(c continuity.Sign) genericHMAC { return genericHMAC{c} }

// Sign implements Signer.
func (g genericHMAC) Sign(_ context.Context, r *Request) error {
	h := g.c.HMAC
	sum := hashes[h.Algorithm]()
	_, _ = sum.Write(r.Body) // never fails
	path, query, _ := strings.Cut(r.Target, "?")
	parts := []string{
		"{method}", r.Method, "{path}", path, "{query}", query, "{target}", r.Target, "{host}", r.Host,
		"{timestamp}", strconv.FormatInt(r.Now.Unix(), 10), "{timestamp_ms}", strconv.FormatInt(r.Now.UnixMilli(), 10),
		"{nonce}", r.Nonce, "{body_hash}", hex.EncodeToString(sum.Sum(nil)), "{id}", g.c.ID,
		"{idempotency_key}", r.Get("Idempotency-Key"),
	}
	text := strings.NewReplacer(append([]string{"{body}", string(r.Body)}, parts...)...).Replace(h.Text)
	signature := encodings[h.Encoding](mac(hashes[h.Algorithm], []byte(g.c.Secret.Reveal()), text))
	fill := strings.NewReplacer(append([]string{"{signature}", signature}, parts...)...)
	for _, f := range h.Fields {
		value := fill.Replace(f.Value)
		if strings.ContainsAny(value, "\r\n\x00") {
			return unusable("hmac", "a field would hold a line break")
		}
		r.Set(f.Name, value)
	}
	return nil
}
