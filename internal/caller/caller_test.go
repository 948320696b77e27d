package caller_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"holdfast/internal/caller"
	"holdfast/internal/continuity"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, v continuity.Verify, o caller.Options) *caller.Verifier {
	t.Helper()
	c, err := caller.New(&v, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// why is the word of a refusal, or the caller's name.
func why(c *caller.Verifier, req *caller.Request) string {
	id, err := c.Verify(req)
	var r *caller.Refusal
	if errors.As(err, &r) {
		return r.Why
	}
	return strings.TrimSpace(id.Name + " " + strings.Join(id.Scopes, ","))
}

func with(name, value string) *caller.Request {
	return &caller.Request{Method: "POST", Target: "/orders", Whole: true, Remote: "10.0.0.7:4000", Header: []continuity.Field{{Name: name, Value: value}}}
}

type issuer struct {
	key    *ecdsa.PrivateKey
	signer jose.Signer
}

func newIssuer(t *testing.T, id string) issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return issuer{key, s}
}

func (i issuer) jwks(id string) string {
	text, _ := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: id, Algorithm: "ES256", Use: "sig"}}})
	return string(text)
}

func claims(change func(map[string]any)) map[string]any {
	c := map[string]any{"iss": "https://login.example", "aud": []string{"orders"}, "sub": "alice", "scope": "order:write order:read", "exp": time.Now().Add(time.Hour).Unix()}
	if change != nil {
		change(c)
	}
	return c
}

func sign(t *testing.T, s jose.Signer, c map[string]any) string {
	t.Helper()
	text, err := jwt.Signed(s).Claims(c).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + text
}

func jwtWay(file string) continuity.VerifyJWT {
	return continuity.VerifyJWT{
		KeysFile: file, MaxAge: time.Hour, Refresh: time.Minute, Issuer: "https://login.example", Audience: []string{"orders"}, Leeway: 30 * time.Second,
		Algorithms: []string{"ES256", "RS256"}, Require: []string{"scope"}, Name: "sub", Scope: "scope", Header: "Authorization",
	}
}

func TestJWT(t *testing.T) {
	i, other := newIssuer(t, "k1"), newIssuer(t, "k1")
	der, err := x509.MarshalPKIXPublicKey(i.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	way := jwtWay(write(t, "issuer.pem", string(public)))
	c := open(t, continuity.Verify{JWT: &way}, caller.Options{})
	// A token that is signed with the public key as if it were a secret.
	confused, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: public}, nil)
	if err != nil {
		t.Fatal(err)
	}
	none := "Bearer " + base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"alice"}`)) + "."
	for name, x := range map[string]struct{ value, want string }{
		"right":             {sign(t, i.signer, claims(nil)), "jwt:alice order:write,order:read"},
		"another key":       {sign(t, other.signer, claims(nil)), "signature"},
		"public key as HS":  {sign(t, confused, claims(nil)), "algorithm"},
		"none":              {none, "algorithm"},
		"expired":           {sign(t, i.signer, claims(func(c map[string]any) { c["exp"] = time.Now().Add(-time.Minute).Unix() })), "expired"},
		"within the leeway": {sign(t, i.signer, claims(func(c map[string]any) { c["exp"] = time.Now().Add(-10 * time.Second).Unix() })), "jwt:alice order:write,order:read"},
		"never ends":        {sign(t, i.signer, claims(func(c map[string]any) { delete(c, "exp") })), "claim"},
		"not yet":           {sign(t, i.signer, claims(func(c map[string]any) { c["nbf"] = time.Now().Add(time.Hour).Unix() })), "expired"},
		"another issuer":    {sign(t, i.signer, claims(func(c map[string]any) { c["iss"] = "https://evil.example" })), "issuer"},
		"another audience":  {sign(t, i.signer, claims(func(c map[string]any) { c["aud"] = "else" })), "audience"},
		"a claim is absent": {sign(t, i.signer, claims(func(c map[string]any) { delete(c, "scope") })), "claim"},
		"nobody":            {sign(t, i.signer, claims(func(c map[string]any) { c["sub"] = "" })), "claim"},
		"no token":          {"Bearer x.y", "malformed"},
		"another scheme":    {"Basic YTpi", "absent"},
	} {
		for range 2 { // from the memory of tokens too
			if got := why(c, with("Authorization", x.value)); got != x.want {
				t.Errorf("%s: %s, want %s", name, got, x.want)
			}
		}
	}
	twice := with("Authorization", sign(t, i.signer, claims(nil)))
	twice.Header = append(twice.Header, twice.Header[0])
	if got := why(c, twice); got != "malformed" {
		t.Errorf("two tokens: %s", got)
	}
	if got := why(c, &caller.Request{}); got != "absent" {
		t.Error(got)
	}
	bad := jwtWay("x")
	bad.Algorithms = []string{"HS256"}
	if _, err := caller.New(&continuity.Verify{JWT: &bad}, caller.Options{}); err == nil {
		t.Error("HS with public keys was allowed")
	}
}

func TestJWTBySharedSecret(t *testing.T) {
	secret := strings.Repeat("s", 32)
	way := jwtWay("")
	way.SecretFile, way.Algorithms = write(t, "secret", secret+"\n"), []string{"HS256"}
	c := open(t, continuity.Verify{JWT: &way}, caller.Options{})
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(secret)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := why(c, with("Authorization", sign(t, s, claims(nil)))); !strings.HasPrefix(got, "jwt:alice") {
		t.Error(got)
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The keys of an issuer outlive the issuer, on disk too, for as long as stated.
func TestKeysAreUsedWhileTheIssuerIsDown(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, "k1")
		var down atomic.Bool
		var served atomic.Value
		served.Store(i.jwks("k1"))
		o := caller.Options{CacheDir: dir, Client: &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
			if down.Load() {
				return nil, errors.New("down")
			}
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(served.Load().(string)))}, nil
		})}}
		way := jwtWay("")
		way.JWKS = "https://login.example/keys?k=planted"
		req := with("Authorization", sign(t, i.signer, claims(func(c map[string]any) { c["exp"] = time.Now().Add(100 * time.Hour).Unix() })))
		first := open(t, continuity.Verify{JWT: &way}, o)
		synctest.Wait()
		if got := why(first, req); !strings.HasPrefix(got, "jwt:alice") {
			t.Fatal(got)
		}
		first.Close()
		files, err := filepath.Glob(filepath.Join(dir, "*.json"))
		if err != nil || len(files) != 1 {
			t.Fatal(files, err)
		}
		if text, err := os.ReadFile(files[0]); err != nil || strings.Contains(string(text), "planted") {
			t.Errorf("the file shows the address: %s %v", text, err)
		}
		down.Store(true)
		again := open(t, continuity.Verify{JWT: &way}, o) // a restart while the issuer is down
		if got := why(again, req); !strings.HasPrefix(got, "jwt:alice") {
			t.Error(got)
		}
		time.Sleep(59 * time.Minute) // of the bubble's clock
		if got := why(again, req); !strings.HasPrefix(got, "jwt:alice") {
			t.Error(got)
		}
		time.Sleep(2 * time.Minute)
		_, err = again.Verify(req)
		var r *caller.Refusal
		if !errors.As(err, &r) || !r.Ours || r.Why != caller.WhyUnavailable {
			t.Errorf("keys older than max_age are used: %v", err)
		}
		down.Store(false)
		time.Sleep(time.Minute)
		if got := why(again, req); !strings.HasPrefix(got, "jwt:alice") {
			t.Errorf("after the issuer is back: %s", got)
		}
		// A new key is fetched when a token names it, not only in its time.
		next := newIssuer(t, "k2")
		stranger := with("Authorization", sign(t, next.signer, claims(nil)))
		served.Store(next.jwks("k2"))
		if got := why(again, stranger); got != "unknown" {
			t.Error(got)
		}
		synctest.Wait()
		if got := why(again, stranger); !strings.HasPrefix(got, "jwt:alice") {
			t.Errorf("a new key: %s", got)
		}
		again.Close()
	})
}

func TestHMAC(t *testing.T) {
	secret := "0123456789abcdef"
	c := open(t, continuity.Verify{HMAC: &continuity.VerifyHMAC{KeysFile: write(t, "keys", "# callers\nshop:"+secret+"\n"), Header: "X-Signature", Window: time.Minute}}, caller.Options{})
	make := func(id string, at time.Time, method, target, body string) *caller.Request {
		stamp := fmt.Sprint(at.Unix())
		req := with("X-Signature", "key="+id+", t="+stamp+", v1="+hex.EncodeToString(caller.Sign([]byte(secret), method, target, stamp, []byte(body))))
		req.Body = []byte("body")
		return req
	}
	now := time.Now()
	for name, x := range map[string]struct {
		req  *caller.Request
		want string
	}{
		"right":          {make("shop", now, "POST", "/orders", "body"), "hmac:shop"},
		"another body":   {make("shop", now, "POST", "/orders", "else"), "signature"},
		"another target": {make("shop", now, "POST", "/orders?x", "body"), "signature"},
		"another method": {make("shop", now, "PUT", "/orders", "body"), "signature"},
		"unknown":        {make("who", now, "POST", "/orders", "body"), "unknown"},
		"old":            {make("shop", now.Add(-2*time.Minute), "POST", "/orders", "body"), "window"},
		"ahead":          {make("shop", now.Add(2*time.Minute), "POST", "/orders", "body"), "window"},
		"nonsense":       {with("X-Signature", "key=shop"), "malformed"},
	} {
		if got := why(c, x.req); got != x.want {
			t.Errorf("%s: %s, want %s", name, got, x.want)
		}
	}
	part := make("shop", now, "POST", "/orders", "body")
	part.Whole = false
	if got := why(c, part); got != "body" {
		t.Errorf("a body that was not read: %s", got)
	}
}

func TestAPIKeys(t *testing.T) {
	sum := sha256.Sum256([]byte("key-of-high-entropy"))
	hash, err := argon2id.CreateHash("password1", &argon2id.Params{Memory: 1024, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	if err != nil {
		t.Fatal(err)
	}
	path := write(t, "keys", "erp:sha256:"+hex.EncodeToString(sum[:])+"\nanna:"+hash+"\n")
	c := open(t, continuity.Verify{APIKey: &continuity.VerifyAPIKey{File: path, Header: "X-API-Key"}}, caller.Options{})
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	for name, x := range map[string]struct{ name, value, want string }{
		"right":          {"X-API-Key", "key-of-high-entropy", "key:erp"},
		"bearer":         {"X-API-Key", "Bearer key-of-high-entropy", "key:erp"},
		"wrong":          {"X-API-Key", "another", "unknown"},
		"empty":          {"X-API-Key", "", "malformed"},
		"the hash":       {"X-API-Key", hex.EncodeToString(sum[:]), "unknown"},
		"password":       {"Authorization", basic("anna:password1"), "key:anna"},
		"wrong password": {"Authorization", basic("anna:password2"), "unknown"},
		"key as name":    {"Authorization", basic("erp:key-of-high-entropy"), "unknown"},
		"nobody":         {"Authorization", basic("bob:password1"), "unknown"},
		"another scheme": {"Authorization", "Bearer x", "absent"},
	} {
		for range 2 {
			if got := why(c, with(x.name, x.value)); got != x.want {
				t.Errorf("%s: %s, want %s", name, got, x.want)
			}
		}
	}
}

// Passwords are slow to compare, and few are compared at once. First log-ins that
// come together wait for each other; none is told that it can't be judged.
func TestFirstLogInsThatComeTogetherWait(t *testing.T) {
	var text strings.Builder
	const people = 6
	for i := range people {
		hash, err := argon2id.CreateHash(fmt.Sprint("password", i), &argon2id.Params{Memory: 8 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "p%d:%s\n", i, hash)
	}
	c := open(t, continuity.Verify{APIKey: &continuity.VerifyAPIKey{File: write(t, "keys", text.String()), Header: "X-API-Key"}}, caller.Options{})
	basic := func(text string) *caller.Request {
		return with("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(text)))
	}
	var all sync.WaitGroup
	begin := make(chan struct{})
	try := func(text, want string) {
		all.Go(func() {
			<-begin
			if got := why(c, basic(text)); got != want {
				t.Errorf("%s: %s, want %s", text, got, want)
			}
		})
	}
	for i := range people {
		try(fmt.Sprintf("p%d:wrong", i), "unknown")
		for range 3 { // a client opens several connections at once
			try(fmt.Sprintf("p%d:password%d", i, i), fmt.Sprintf("key:p%d", i))
		}
	}
	close(begin)
	all.Wait()
}

// The address of an issuer's keys may hold a secret: neither the log nor the file
// of keys tells it.
func TestAddressOfKeysIsNotTold(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { addressOfKeys(t, dir) })
}

func addressOfKeys(t *testing.T, dir string) {
	i := newIssuer(t, "k1")
	var logged bytes.Buffer
	var up atomic.Bool
	o := caller.Options{CacheDir: dir, Logger: slog.New(slog.NewTextHandler(&logged, nil)), Client: &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
		if !up.Load() {
			return nil, errors.New("down")
		}
		return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(i.jwks("k1")))}, nil
	})}}
	way := jwtWay("")
	way.JWKS = "https://hunter1:hunter2@login.example/keys?token=hunter3"
	first := open(t, continuity.Verify{JWT: &way}, o)
	synctest.Wait()
	first.Close()
	if text := logged.String(); strings.Contains(text, "hunter") || !strings.Contains(text, "login.example") {
		t.Errorf("logged %s", text)
	}
	up.Store(true)
	second := open(t, continuity.Verify{JWT: &way}, o)
	synctest.Wait()
	req := with("Authorization", sign(t, i.signer, claims(nil)))
	second.Close()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, files[0].Name()))
	if err != nil || strings.Contains(string(text), "hunter") {
		t.Errorf("written %s, %v", text, err)
	}
	// And all the same it is found again, one that an older version wrote, too.
	old := regexp.MustCompile(`"url":"[^"]*"`).ReplaceAllLiteralString(string(text), `"url":"`+way.JWKS+`"`)
	for _, written := range []string{string(text), old} {
		if err := os.WriteFile(filepath.Join(dir, files[0].Name()), []byte(written), 0o600); err != nil {
			t.Fatal(err)
		}
		up.Store(false)
		third := open(t, continuity.Verify{JWT: &way}, o)
		if got := why(third, req); !strings.HasPrefix(got, "jwt:alice") {
			t.Errorf("from %s: %s", written, got)
		}
		third.Close()
	}
}

// A file is read again when it changes; a bad one leaves what stood before.
func TestFilesAreReadAgain(t *testing.T) {
	line := func(name, key string) string {
		sum := sha256.Sum256([]byte(key))
		return name + ":" + hex.EncodeToString(sum[:]) + "\n"
	}
	path := write(t, "keys", line("a", "one"))
	synctest.Test(t, func(t *testing.T) {
		c := open(t, continuity.Verify{APIKey: &continuity.VerifyAPIKey{File: path, Header: "X-API-Key"}}, caller.Options{})
		for _, step := range []struct{ text, one, two string }{
			{line("a", "one"), "key:a", "unknown"},
			{line("b", "two") + "# changed\n", "unknown", "key:b"},
			{"nonsense", "unknown", "key:b"},
			{line("a", "one") + line("b", "two"), "key:a", "key:b"},
		} {
			if err := os.WriteFile(path, []byte(step.text), 0o600); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second) // of the bubble's clock
			if one, two := why(c, with("X-API-Key", "one")), why(c, with("X-API-Key", "two")); one != step.one || two != step.two {
				t.Errorf("after %q: %s, %s", step.text, one, two)
			}
		}
	})
}

func TestMTLS(t *testing.T) {
	root, other := authority(t), authority(t)
	way := continuity.VerifyMTLS{CAFile: write(t, "ca.pem", root.pem()), Name: "cn"}
	c := open(t, continuity.Verify{MTLS: &way}, caller.Options{})
	over := func(cert *x509.Certificate) *caller.Request {
		return &caller.Request{Remote: "10.0.0.7:4000", TLS: &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}}
	}
	good := root.client(t, "erp", time.Hour, x509.ExtKeyUsageClientAuth)
	for name, x := range map[string]struct {
		cert *x509.Certificate
		want string
	}{
		"right":             {good, "cert:erp"},
		"another authority": {other.client(t, "erp", time.Hour, x509.ExtKeyUsageClientAuth), "signature"},
		"expired":           {root.client(t, "erp", -time.Hour, x509.ExtKeyUsageClientAuth), "expired"},
		"a server's":        {root.client(t, "erp", time.Hour, x509.ExtKeyUsageServerAuth), "signature"},
		"without name":      {root.client(t, "", time.Hour, x509.ExtKeyUsageClientAuth), "claim"},
	} {
		if got := why(c, over(x.cert)); got != x.want {
			t.Errorf("%s: %s, want %s", name, got, x.want)
		}
	}
	text := url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: good.Raw})))
	if got := why(c, with("X-Client-Cert", text)); got != "absent" {
		t.Errorf("a field was believed that nobody configured: %s", got)
	}
	way.Header, way.From = "X-Client-Cert", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}
	c = open(t, continuity.Verify{MTLS: &way}, caller.Options{})
	if got := why(c, with("X-Client-Cert", text)); got != "cert:erp" {
		t.Errorf("through a proxy: %s", got)
	}
	if got := why(c, with("X-Client-Cert", ":"+base64.StdEncoding.EncodeToString(good.Raw)+":")); got != "cert:erp" {
		t.Errorf("as RFC 9440 writes it: %s", got)
	}
	far := with("X-Client-Cert", text)
	far.Remote = "192.0.2.1:4000"
	if got := why(c, far); got != "absent" {
		t.Errorf("from elsewhere: %s", got)
	}
}

type ca struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func authority(t *testing.T) ca {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return ca{cert, key}
}

func (c ca) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw}))
}

func (c ca) client(t *testing.T, name string, lasts time.Duration, usage x509.ExtKeyUsage) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(lasts),
		ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, c.cert, c.key.Public(), c.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
