package mint

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"holdfast/internal/continuity"
)

// minter makes tokens. It is safe for concurrent use.
type minter struct {
	c      continuity.Mint
	signer jose.Signer
	now    func() time.Time
}

// newMinter makes a minter; the error says what is wrong with the key, and shows
// nothing of it.
func newMinter(c continuity.Mint) (*minter, error) {
	key, err := parseKey(c.Key.Reveal(), c.Algorithm)
	if err != nil {
		return nil, err
	}
	if c.KeyID != "" {
		key.KeyID = c.KeyID
	}
	o := (&jose.SignerOptions{}).WithType("JWT")
	if _, secret := key.Key.([]byte); secret && key.KeyID != "" { // of a pair the library writes it
		o = o.WithHeader("kid", key.KeyID)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(c.Algorithm), Key: key}, o)
	if err != nil {
		return nil, errKey
	}
	return &minter{c: c, signer: signer, now: time.Now}, nil
}

// claims are what a token says beside the registered ones.
type claims struct {
	Scope string `json:"scope"` // RFC 8693, 4.2; empty: no rights are known
	Act   actor  `json:"act"`   // RFC 8693, 4.1: who sends it on the caller's behalf
	Made  made   `json:"holdfast"`
}

type actor struct {
	Subject string `json:"sub"`
}

type made struct {
	Way string `json:"way"` // by which the caller was verified
}

// token makes a token for a verified caller, by its full name.
func (m *minter) token(caller string, scopes []string) (string, error) {
	way, name, _ := strings.Cut(caller, ":")
	now := m.now()
	return jwt.Signed(m.signer).Claims(jwt.Claims{
		Issuer: m.c.Issuer, Audience: m.c.Audience, ID: rand.Text(),
		Subject:  strings.NewReplacer(continuity.MintName, name, continuity.MintWay, way).Replace(m.c.Subject),
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(m.c.Lifetime)),
	}).Claims(claims{Scope: m.scope(scopes), Act: actor{m.c.Issuer}, Made: made{way}}).Serialize()
}

// scope lists the scopes that a token may say. One that is no scope by RFC 6749
// is left out: with a blank in it, it would become two.
func (m *minter) scope(verified []string) string {
	var out []string
	for _, s := range verified {
		if isScope(s) && (len(m.c.Scopes) == 0 || slices.Contains(m.c.Scopes, s)) && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return strings.Join(out, " ")
}

func isScope(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}
