package caller

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"holdfast/internal/continuity"
)

// keySource gives the keys that tokens are signed with, and a number that
// changes with them.
type keySource interface {
	keys() (set *jose.JSONWebKeySet, version uint64, ok bool)
	missed() // a token names a key that is not there
	close()
}

// token verifies JWTs.
type token struct {
	continuity.VerifyJWT
	algorithms []jose.SignatureAlgorithm
	source     keySource
	now        func() time.Time
	log        *slog.Logger

	mu      sync.RWMutex
	seen    map[[sha256.Size]byte]verified // tokens that were right
	version uint64                         // of the keys they were verified with
}

type verified struct {
	id    Identity
	until time.Time
}

const (
	wayJWT    = "jwt:"
	longToken = 16 << 10
	manySeen  = 4096
)

func newJWT(c *continuity.VerifyJWT, o Options) (*token, error) {
	t := &token{VerifyJWT: *c, now: o.Now, log: o.Logger, seen: make(map[[sha256.Size]byte]verified)}
	for _, a := range c.Algorithms {
		if strings.HasPrefix(a, "HS") != (c.SecretFile != "") {
			return nil, fmt.Errorf("caller: algorithm %s does not go with these keys", a)
		}
		t.algorithms = append(t.algorithms, jose.SignatureAlgorithm(a))
	}
	switch {
	case len(t.algorithms) == 0:
		return nil, errors.New("caller: no algorithm is allowed")
	case c.JWKS != "":
		t.source = newJWKS(c, o)
	case c.KeysFile != "":
		t.source = &fileKeys{file: newFile(c.KeysFile, o, numbered(parseKeySet))}
	default:
		t.source = &fileKeys{file: newFile(c.SecretFile, o, numbered(parseSecret))}
	}
	return t, nil
}

func (t *token) challenge() string { return `Bearer realm="holdfast"` }
func (t *token) close()            { t.source.close() }

func (t *token) verify(req *Request) (Identity, error) {
	value, ok, twice := field(req.Header, t.Header)
	if !ok {
		return Identity{}, errAbsent
	}
	text, bearer := scheme(value, "Bearer")
	switch {
	case twice:
		return Identity{}, refuse(WhyMalformed, nil)
	case !bearer && strings.EqualFold(t.Header, "Authorization"):
		return Identity{}, errAbsent // another scheme's
	case !bearer:
		text = value
	}
	if len(text) > longToken {
		return Identity{}, refuse(WhyMalformed, nil)
	}
	set, version, ok := t.source.keys()
	if !ok {
		return Identity{}, claiming(unavailable(nil), wayJWT, t.claimed(text))
	}
	sum, now := sha256.Sum256([]byte(text)), t.now()
	t.mu.RLock()
	known, is := t.seen[sum]
	is = is && t.version == version && now.Before(known.until)
	t.mu.RUnlock()
	if is {
		return known.id, nil
	}
	id, until, err := t.check(text, set, now)
	if err != nil {
		return Identity{}, claiming(err, wayJWT, t.claimed(text))
	}
	t.mu.Lock()
	if t.version != version || len(t.seen) >= manySeen {
		clear(t.seen)
		t.version = version
	}
	t.seen[sum] = verified{id, until}
	t.mu.Unlock()
	return id, nil
}

// check reads a token, verifies it, and returns until when it stands.
func (t *token) check(text string, set *jose.JSONWebKeySet, now time.Time) (Identity, time.Time, error) {
	parsed, err := jwt.ParseSigned(text, t.algorithms)
	if err != nil {
		var unexpected *jose.ErrUnexpectedSignatureAlgorithm
		if errors.As(err, &unexpected) {
			return Identity{}, time.Time{}, refuse(WhyAlgorithm, nil)
		}
		return Identity{}, time.Time{}, refuse(WhyMalformed, nil)
	}
	if len(parsed.Headers) != 1 {
		return Identity{}, time.Time{}, refuse(WhyMalformed, nil)
	}
	candidates := fitting(set, parsed.Headers[0])
	if len(candidates) == 0 {
		t.source.missed()
		return Identity{}, time.Time{}, refuse(WhyUnknown, nil)
	}
	var claims jwt.Claims
	all := map[string]any{}
	for _, key := range candidates {
		if err = parsed.Claims(key.Key, &claims, &all); err == nil {
			break
		}
	}
	if err != nil {
		return Identity{}, time.Time{}, refuse(WhySignature, nil)
	}
	if err := t.claims(claims, all, now); err != nil {
		return Identity{}, time.Time{}, err
	}
	name, ok := all[t.Name].(string)
	if !ok || name == "" {
		return Identity{}, time.Time{}, refuse(WhyClaim, nil)
	}
	return Identity{Name: wayJWT + name, Scopes: scopes(all[t.Scope])}, claims.Expiry.Time().Add(t.Leeway), nil
}

// claimed is whom a token names, whether that is true or not.
func (t *token) claimed(text string) string {
	parsed, err := jwt.ParseSigned(text, t.algorithms)
	if err != nil {
		return ""
	}
	all := map[string]any{}
	if parsed.UnsafeClaimsWithoutVerification(&all) != nil {
		return ""
	}
	name, _ := all[t.Name].(string)
	return name
}

func (t *token) claims(claims jwt.Claims, all map[string]any, now time.Time) error {
	if claims.Expiry == nil { // a token that never ends is none
		return refuse(WhyClaim, nil)
	}
	err := claims.ValidateWithLeeway(jwt.Expected{Issuer: t.Issuer, AnyAudience: jwt.Audience(t.Audience), Time: now}, t.Leeway)
	switch {
	case errors.Is(err, jwt.ErrInvalidIssuer):
		return refuse(WhyIssuer, nil)
	case errors.Is(err, jwt.ErrInvalidAudience):
		return refuse(WhyAudience, nil)
	case err != nil:
		return refuse(WhyExpired, err)
	}
	for _, name := range t.Require {
		if v, ok := all[name]; !ok || v == nil || v == "" {
			return refuse(WhyClaim, nil)
		}
	}
	return nil
}

// fitting are the keys that a token may be signed with: the one it names, or,
// where it names none, all.
func fitting(set *jose.JSONWebKeySet, h jose.Header) []jose.JSONWebKey {
	var out []jose.JSONWebKey
	for _, k := range set.Keys {
		if h.KeyID != "" && k.KeyID != "" && k.KeyID != h.KeyID ||
			k.Use != "" && k.Use != "sig" || k.Algorithm != "" && k.Algorithm != h.Algorithm {
			continue
		}
		out = append(out, k)
	}
	return out
}

// scopes reads a claim that lists rights: a text with blanks, or a list.
func scopes(claim any) []string {
	switch v := claim.(type) {
	case string:
		return strings.Fields(v)
	case []any:
		var out []string
		for _, item := range v {
			if text, ok := item.(string); ok {
				out = append(out, text)
			}
		}
		return out
	}
	return nil
}

// fileKeys are the keys that a file holds.
type fileKeys struct{ file *file[numberedKeys] }

type numberedKeys struct {
	set    *jose.JSONWebKeySet
	number uint64
}

func numbered(parse func([]byte) (*jose.JSONWebKeySet, error)) func([]byte) (numberedKeys, error) {
	n := uint64(0)
	return func(text []byte) (numberedKeys, error) {
		set, err := parse(text)
		n++
		return numberedKeys{set, n}, err
	}
}

func (f *fileKeys) keys() (*jose.JSONWebKeySet, uint64, bool) {
	k, ok := f.file.get()
	return k.set, k.number, ok
}
func (f *fileKeys) missed() {}
func (f *fileKeys) close()  {}

func parseSecret(text []byte) (*jose.JSONWebKeySet, error) {
	secret := []byte(strings.TrimSpace(string(text)))
	if len(secret) < 32 {
		return nil, errors.New("the secret has fewer than 32 bytes")
	}
	return &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: secret}}}, nil
}

// parseKeySet reads public keys, as JWKS or PEM. A symmetric key among them
// would let whoever knows the public ones sign.
func parseKeySet(text []byte) (*jose.JSONWebKeySet, error) {
	set := &jose.JSONWebKeySet{}
	if trimmed := strings.TrimSpace(string(text)); strings.HasPrefix(trimmed, "{") {
		if err := json.Unmarshal(text, set); err != nil {
			return nil, err
		}
	} else {
		keys, err := parsePEM(text)
		if err != nil {
			return nil, err
		}
		set.Keys = keys
	}
	kept := set.Keys[:0]
	for _, k := range set.Keys {
		if public := k.Public(); public.Key != nil && public.Valid() {
			kept = append(kept, public)
		}
	}
	if set.Keys = kept; len(kept) == 0 {
		return nil, errors.New("no public key in it")
	}
	return set, nil
}
