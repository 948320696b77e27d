package sign

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"

	"holdfast/internal/continuity"
)

// tencent signs with TC3-HMAC-SHA256 of Tencent Cloud (腾讯云). Operation,
// version and region are those of the client's X-TC fields, or else the route's.
type tencent struct{ c continuity.Sign }

const tc3 = "TC3-HMAC-SHA256"

// Sign implements Signer.
func (t tencent) Sign(_ context.Context, r *Request) error {
	for _, f := range []continuity.Field{
		{Name: "X-TC-Action", Value: t.c.Action}, {Name: "X-TC-Version", Value: t.c.Version}, {Name: "X-TC-Region", Value: t.c.Region},
	} {
		if r.Get(f.Name) == "" && f.Value != "" {
			r.Set(f.Name, f.Value)
		}
	}
	stamp, date := strconv.FormatInt(r.Now.Unix(), 10), r.Now.UTC().Format("2006-01-02")
	r.Set("X-TC-Timestamp", stamp)
	service := t.c.Service
	if service == "" {
		service, _, _ = strings.Cut(r.Host, ".")
	}
	canonical, names := canonicalFields(r, func(name string) bool { return name == "content-type" || name == "x-tc-action" })
	// The values of these fields are signed in lower case.
	canonical = strings.ToLower(canonical)
	_, query, _ := strings.Cut(r.Target, "?")
	request := strings.Join([]string{r.Method, "/", query, canonical, names, sha256Hex(r.Body)}, "\n")
	scope := date + "/" + service + "/tc3_request"
	text := strings.Join([]string{tc3, stamp, scope, sha256Hex([]byte(request))}, "\n")
	key := sha256HMAC([]byte("TC3"+t.c.Secret.Reveal()), date)
	key = sha256HMAC(sha256HMAC(key, service), "tc3_request")
	r.Set("Authorization", tc3+" Credential="+t.c.ID+"/"+scope+", SignedHeaders="+names+", Signature="+hex.EncodeToString(sha256HMAC(key, text)))
	return nil
}
