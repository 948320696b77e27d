package caller_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/caller"
	"holdfast/internal/continuity"
)

// A proof that is not accepted names somebody all the same, by the name that it
// would have proven.
func TestRule5_2_WhomAProofNamesThatIsNotAccepted(t *testing.T) {
	i, stranger := newIssuer(t, "k1"), newIssuer(t, "k1")
	absent := filepath.Join(t.TempDir(), "absent")
	ways := func(keys, ca, secrets, passwords string) *caller.Verifier {
		token := jwtWay(keys)
		return open(t, continuity.Verify{
			JWT: &token, MTLS: &continuity.VerifyMTLS{CAFile: ca, Name: "cn", Header: "X-Client-Cert", From: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
			HMAC:   &continuity.VerifyHMAC{KeysFile: secrets, Header: "X-Signature", Window: time.Minute},
			APIKey: &continuity.VerifyAPIKey{File: passwords, Header: "X-API-Key"},
		}, caller.Options{})
	}
	root := authority(t)
	able := ways(write(t, "jwks", i.jwks("k1")), write(t, "ca", root.pem()), write(t, "secrets", "shop:0123456789abcdef\n"), write(t, "keys", "# none\n"))
	unable := ways(absent, absent, absent, absent)
	certificate := func(lasts time.Duration) *caller.Request {
		c := root.client(t, "erp", lasts, x509.ExtKeyUsageClientAuth)
		return with("X-Client-Cert", url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))))
	}
	signature := func(ago time.Duration) *caller.Request {
		at := fmt.Sprint(time.Now().Add(-ago).Unix())
		return with("X-Signature", "key=shop, t="+at+", v1="+hex.EncodeToString(caller.Sign([]byte("0123456789abcdef"), "POST", "/orders", at, nil)))
	}
	old := claims(func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() })
	basic := with("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("anna:wrong")))
	for name, x := range map[string]struct {
		by     *caller.Verifier
		req    *caller.Request
		why    string
		claims string
		ours   bool
	}{
		"token run out":           {able, with("Authorization", sign(t, i.signer, old)), "expired", "jwt:alice", false},
		"another's signature":     {able, with("Authorization", sign(t, stranger.signer, claims(nil))), "signature", "jwt:alice", false},
		"token without keys":      {unable, with("Authorization", sign(t, i.signer, claims(nil))), "unavailable", "jwt:alice", true},
		"no token":                {able, with("Authorization", "Bearer nonsense"), "malformed", "", false},
		"certificate run out":     {able, certificate(-time.Hour), "expired", "cert:erp", false},
		"certificate without ca":  {unable, certificate(time.Hour), "unavailable", "cert:erp", true},
		"signature of long ago":   {able, signature(time.Hour), "window", "hmac:shop", false},
		"signature without keys":  {unable, signature(0), "unavailable", "hmac:shop", true},
		"password":                {able, basic, "unknown", "key:anna", false},
		"password without a file": {unable, basic, "unavailable", "key:anna", true},
		"key":                     {able, with("X-API-Key", "k"), "unknown", "", false},
		"nothing":                 {able, with("X-Nothing", "k"), "absent", "", false},
	} {
		id, err := x.by.Verify(x.req)
		var r *caller.Refusal
		if !errors.As(err, &r) || r.Why != x.why || r.Claims != x.claims || r.Ours != x.ours || id.Name != "" {
			t.Errorf("%s: %+v, %+v", name, id, r)
		}
	}
}
