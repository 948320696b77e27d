package mint_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"holdfast/internal/continuity"
	"holdfast/internal/mint"
	"holdfast/internal/upstream"
)

// wire keeps the attempts that reach it.
type wire struct{ sent []upstream.Attempt }

func (w *wire) Send(_ context.Context, a upstream.Attempt) upstream.Result {
	w.sent = append(w.sent, a)
	return upstream.Result{Class: upstream.Answered, Status: 201}
}

// field returns the one value of a field of the newest attempt.
func (w *wire) field(t *testing.T, name string) string {
	t.Helper()
	value, n := "", 0
	for _, f := range w.sent[len(w.sent)-1].Header {
		if strings.EqualFold(f.Name, name) {
			value, n = f.Value, n+1
		}
	}
	if n > 1 {
		t.Errorf("%d fields %s", n, name)
	}
	return value
}

func asPEM(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func curve(t *testing.T, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func settings(key, algorithm string) continuity.Mint {
	return continuity.Mint{
		Key: continuity.Secret(key), Algorithm: algorithm, Issuer: "https://relay.example", Audience: []string{"orders"},
		Lifetime: time.Minute, Header: "Authorization", Subject: "{name}",
	}
}

// read verifies a token and returns what it says.
func read(t *testing.T, token string, key any, algorithm string) (jwt.Claims, map[string]any) {
	t.Helper()
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
	if err != nil {
		t.Fatal(err)
	}
	var c jwt.Claims
	all := map[string]any{}
	if err := parsed.Claims(key, &c, &all); err != nil {
		t.Fatal(err)
	}
	return c, all
}

func attempt(caller string, scopes ...string) upstream.Attempt {
	return upstream.Attempt{
		Caller: caller, Scopes: scopes,
		Header: []continuity.Field{{Name: "authorization", Value: "Basic old"}, {Name: "X-Kept", Value: "yes"}},
	}
}

func TestRule10_1_ATokenSaysNoMoreThanWasVerified(t *testing.T) {
	key := curve(t, elliptic.P256())
	for name, x := range map[string]struct {
		caller, subject, sub, way, scope string
		allow, verified                  []string
	}{
		"scopes":             {caller: "jwt:alice", subject: "{name}", sub: "alice", way: "jwt", verified: []string{"order:write", "order:read"}, scope: "order:write order:read"},
		"none known":         {caller: "cert:erp", subject: "{name}", sub: "erp", way: "cert", scope: ""},
		"narrowed":           {caller: "jwt:alice", subject: "{name}", sub: "alice", way: "jwt", allow: []string{"order:write", "admin"}, verified: []string{"order:write", "order:read"}, scope: "order:write"},
		"two in one":         {caller: "jwt:alice", subject: "{name}", sub: "alice", way: "jwt", verified: []string{"order:read admin", "order:read"}, scope: "order:read"},
		"not of one word":    {caller: "jwt:alice", subject: "{name}", sub: "alice", way: "jwt", verified: []string{"a\"b", "a\\b", "", "读", "ok", "ok"}, scope: "ok"},
		"told apart":         {caller: "key:alice", subject: "{way}:{name}", sub: "key:alice", way: "key", scope: ""},
		"a name with braces": {caller: "jwt:{way}:x", subject: "{name}", sub: "{way}:x", way: "jwt", scope: ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := settings(asPEM(t, key), "ES256")
			c.Subject, c.Scopes = x.subject, x.allow
			w := &wire{}
			s := mint.NewSender(w, c)
			began := time.Now().Truncate(time.Second)
			s.Send(t.Context(), attempt(x.caller, x.verified...))
			token, ok := strings.CutPrefix(w.field(t, "Authorization"), "Bearer ")
			if !ok || w.field(t, "X-Kept") != "yes" {
				t.Fatalf("sent %+v", w.sent[0].Header)
			}
			std, all := read(t, token, key.Public(), "ES256")
			act, _ := all["act"].(map[string]any)
			made, _ := all["holdfast"].(map[string]any)
			if std.Subject != x.sub || all["scope"] != x.scope || made["way"] != x.way || act["sub"] != c.Issuer || std.Issuer != c.Issuer || !std.Audience.Contains("orders") {
				t.Errorf("it says %v", all)
			}
			if life := std.Expiry.Time().Sub(std.IssuedAt.Time()); life != time.Minute || std.IssuedAt.Time().Before(began) {
				t.Errorf("it lives %s from %s", life, std.IssuedAt.Time())
			}
			s.Send(t.Context(), attempt(x.caller, x.verified...))
			again, _ := read(t, strings.TrimPrefix(w.field(t, "Authorization"), "Bearer "), key.Public(), "ES256")
			if again.ID == std.ID || std.ID == "" {
				t.Error("two attempts share a token")
			}
		})
	}
}

// A client that waits sends its own credentials.
func TestWaitingClientsCredentialsPass(t *testing.T) {
	w := &wire{}
	s := mint.NewSender(w, settings(strings.Repeat("k", 32), "HS256"))
	s.Send(t.Context(), attempt(""))
	if got := w.field(t, "Authorization"); got != "Basic old" {
		t.Errorf("sent %q", got)
	}
}

func TestKeysAndAlgorithms(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p256, p384 := curve(t, elliptic.P256()), curve(t, elliptic.P384())
	jwk, err := json.Marshal(jose.JSONWebKey{Key: p256, KeyID: "k7", Algorithm: "ES256"})
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(p256)
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Repeat("k", 48)
	for name, x := range map[string]struct {
		key, algorithm string
		public         any
	}{
		"RSA":           {asPEM(t, rsaKey), "RS256", rsaKey.Public()},
		"RSA PKCS1":     {string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey)})), "PS256", rsaKey.Public()},
		"EC":            {asPEM(t, p384), "ES384", p384.Public()},
		"EC parameters": {"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})), "ES256", p256.Public()},
		"Ed25519":       {asPEM(t, edKey), "EdDSA", edKey.Public()},
		"JWK":           {string(jwk), "ES256", p256.Public()},
		"secret":        {secret + "\n", "HS384", []byte(secret)},
	} {
		w := &wire{}
		s := mint.NewSender(w, settings(x.key, x.algorithm))
		if res := s.Send(t.Context(), attempt("jwt:alice")); res.Err != nil {
			t.Errorf("%s: %v", name, res.Err)
			continue
		}
		read(t, strings.TrimPrefix(w.field(t, "Authorization"), "Bearer "), x.public, x.algorithm)
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // too small on purpose
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(crypto.PublicKey(p256.Public()))
	if err != nil {
		t.Fatal(err)
	}
	onlyPublic, err := json.Marshal(jose.JSONWebKey{Key: p256.Public()})
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string][2]string{
		"none":                 {"", "ES256"},
		"short secret":         {"secret", "HS256"},
		"short for its hash":   {secret, "HS512"},
		"weak":                 {asPEM(t, small), "RS256"},
		"another kind":         {asPEM(t, p256), "RS256"},
		"another curve":        {asPEM(t, p256), "ES384"},
		"private key as HMAC":  {asPEM(t, p256), "HS256"},
		"secret as signature":  {secret, "ES256"},
		"public":               {string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})), "ES256"},
		"public JWK":           {string(onlyPublic), "ES256"},
		"JWK for another":      {string(jwk), "ES384"},
		"broken":               {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "ES256"},
		"unknown algorithm":    {secret, "none"},
		"no JWK":               {`{"kty":"EC"`, "ES256"},
		"encrypted PEM header": {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "ES256"},
	} {
		w := &wire{}
		res := mint.NewSender(w, settings(x[0], x[1])).Send(t.Context(), attempt("jwt:alice"))
		if res.Class != upstream.Clean || !errors.Is(res.Err, upstream.ErrCredentials) || len(w.sent) != 0 {
			t.Errorf("%s: %+v, sent %d", name, res, len(w.sent))
		} else if x[0] != "" && strings.Contains(res.Err.Error(), x[0]) {
			t.Errorf("%s: the error shows the key", name)
		}
	}
}

func TestFieldOfItsOwn(t *testing.T) {
	c := settings(strings.Repeat("k", 32), "HS256")
	c.Header, c.KeyID = "X-Token", "k1"
	w := &wire{}
	mint.NewSender(w, c).Send(t.Context(), attempt("hmac:erp"))
	parsed, err := jwt.ParseSigned(w.field(t, "x-token"), []jose.SignatureAlgorithm{jose.HS256})
	if err != nil || parsed.Headers[0].KeyID != "k1" {
		t.Fatalf("%v %+v", err, parsed)
	}
	if strings.HasPrefix(w.field(t, "X-Token"), "Bearer") {
		t.Error("a scheme in a field that has none")
	}
}
