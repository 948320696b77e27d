package config

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/mint"
	"holdfast/internal/yamldoc"
)

type mintBlock struct {
	block
	Key       fileOrEnvBlock       `yaml:"key" required:"true"`
	KeyID     value[string]        `yaml:"key_id" kind:"text" example:"holdfast-1"`
	Algorithm value[string]        `yaml:"algorithm" kind:"word" of:"RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,ES512,EdDSA,HS256,HS384,HS512" required:"true" example:"ES256"`
	Issuer    value[string]        `yaml:"issuer" kind:"text" required:"true" example:"https://holdfast.example"`
	Audience  list[string]         `yaml:"audience" kind:"text" required:"true" example:"orders"`
	Lifetime  value[time.Duration] `yaml:"lifetime" kind:"duration" default:"1m"`
	Header    value[string]        `yaml:"header" kind:"header" default:"Authorization"`
	Subject   value[string]        `yaml:"subject" kind:"text" default:"{name}" example:"'{way}:{name}'"`
	Scopes    list[string]         `yaml:"scopes" kind:"text" example:"[orders.write]"`
}

// minted is what hold.credentials says where they are made anew.
const minted = "mint"

func (r *routeBlock) minting() *continuity.Mint {
	b := &r.Hold.Mint
	if r.Hold.Credentials.V != minted || !b.Set {
		return nil
	}
	return &continuity.Mint{
		KeyID: b.KeyID.V, Algorithm: b.Algorithm.V, Issuer: b.Issuer.V, Audience: b.Audience.Values(),
		Lifetime: b.Lifetime.V, Header: b.Header.V, Subject: b.Subject.V, Scopes: b.Scopes.Values(),
	}
}

// What a token may live: long enough to arrive, too short to be of use to whoever
// finds it later.
const (
	leastLife = 5 * time.Second
	mostLife  = 15 * time.Minute
)

func checkMint(f *findings, r *routeBlock) {
	c, b := &r.Hold.Credentials, &r.Hold.Mint
	if c.V != minted {
		if b.Set {
			f.Warning(b.At, "config.mint-no-effect")
		}
		return
	}
	if !r.Caller.Set || r.Caller.public {
		f.Error(c.At, "config.mint-caller", "id", r.ID.V)
	}
	if !b.Set {
		f.Error(c.At, "config.mint-missing")
		return
	}
	checkSecret(f, &b.Key, "hold.mint.key")
	if l := b.Lifetime.V; l > 0 && (l < leastLife || l > mostLife) {
		f.Error(fallback(b.Lifetime.At, b.At), "config.mint-lifetime", "value", b.Lifetime.Text, "least", "5s", "most", "15m")
	}
	for _, name := range placeholder.FindAllString(b.Subject.V, -1) {
		if name != continuity.MintName && name != continuity.MintWay {
			f.Error(b.Subject.At, "config.mint-name", "value", name)
		}
	}
	switch {
	case !strings.Contains(b.Subject.V, continuity.MintName):
		f.Error(fallback(b.Subject.At, b.At), "config.mint-subject")
	case r.Caller.ways() > 1 && !strings.Contains(b.Subject.V, continuity.MintWay):
		// One name may be two people's, by two proofs.
		f.Error(fallback(b.Subject.At, b.At), "config.mint-ways")
	}
	if r.Sign.Set && slices.ContainsFunc(r.Sign.writes(), func(name string) bool { return strings.EqualFold(name, b.Header.V) }) {
		f.Error(fallback(b.Header.At, b.At), "config.mint-signed", "field", b.Header.V, "by", r.Sign.By.V)
	}
}

// ways is how many ways there are to prove oneself.
func (c *callerBlock) ways() (n int) {
	for _, set := range []bool{c.JWT.Set, c.MTLS.Set, c.HMAC.Set, c.APIKey.Set} {
		if set {
			n++
		}
	}
	return n
}

// writes are the header fields that a signer puts in the place of others.
func (b *signBlock) writes() []string {
	switch b.By.V {
	case "aliyun", "tencent", "feishu":
		return []string{"Authorization"}
	case "hmac":
		var out []string
		for _, h := range b.HMAC.Headers.Items {
			out = append(out, h.Name)
		}
		return out
	}
	return nil
}

// mintSecret reads the key. What is wrong with it is a warning: a relay that did
// not start would keep nothing at all.
func mintSecret(f *findings, r *routeBlock, dir string, out *continuity.Route) {
	b, m := &r.Hold.Mint, out.Hold.Mint
	if m == nil || b.Key.File.Set == b.Key.Env.Set {
		return
	}
	text, ok := secretText(f, "hold.mint.key", b.Key.File, b.Key.Env, dir)
	if ok {
		if err := mint.Check(text, m.Algorithm); err != nil {
			f.Warning(b.Key.At, "config.mint-key", "algorithm", m.Algorithm)
			ok = false
		}
	}
	if m.Key = continuity.Secret(text); !ok {
		m.Key = ""
		f.Warning(b.Key.At, "config.mint-off", "id", r.ID.V)
	}
}

func parseCredentials(text string, tag reflect.StructTag) (any, *fault) {
	if text == minted {
		return text, nil
	}
	if _, bad := kinds["bool"].Parse(text, tag); bad == nil {
		return text, nil
	} else if bad.ID == "config.bool-near" {
		return nil, bad
	}
	return nil, yamldoc.Wrong("config.word", "words", []string{"true", "false", minted})
}

func credentialsSchema(reflect.StructTag) map[string]any {
	return map[string]any{"enum": []any{false, true, minted}}
}
