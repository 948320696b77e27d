package config

import (
	"net/netip"

	"holdfast/internal/continuity"
)

func (s *sensitiveBlock) build() continuity.Sensitive {
	return continuity.Sensitive{
		Fields: s.Fields.Values(), Headers: s.Headers.Values(), Query: s.Query.Values(),
		Drop: s.Then.V == "drop", Numbers: s.Numbers.Values(), Allow: !s.Detect.V,
	}
}

// name is what a route's Caller says.
func (c *callerBlock) name() string {
	switch {
	case c.public:
		return continuity.CallerPublic
	case c.Set:
		return continuity.CallerVerified
	}
	return ""
}

func (c *callerBlock) build(dir string) *continuity.Verify {
	if c.name() != continuity.CallerVerified {
		return nil
	}
	file := func(v value[string]) string {
		if !v.Set {
			return ""
		}
		return resolve(dir, v.V)
	}
	out := &continuity.Verify{}
	if j := &c.JWT; j.Set {
		out.JWT = &continuity.VerifyJWT{
			JWKS: j.JWKS.V, KeysFile: file(j.Keys), SecretFile: file(j.Secret), MaxAge: j.MaxAge.V, Refresh: j.Refresh.V,
			Issuer: j.Issuer.V, Audience: j.Audience.Values(), Leeway: j.Leeway.V, Algorithms: j.algorithms(),
			Require: j.Require.Values(), Name: j.Name.V, Scope: j.Scope.V, Header: j.Header.V,
		}
	}
	if m := &c.MTLS; m.Set {
		out.MTLS = &continuity.VerifyMTLS{CAFile: file(m.CA), Name: m.Name.V, Header: m.Header.V}
		for _, text := range m.Proxies.Values() {
			if p, err := netip.ParsePrefix(text); err == nil {
				out.MTLS.From = append(out.MTLS.From, p.Masked())
			}
		}
	}
	if h := &c.HMAC; h.Set {
		out.HMAC = &continuity.VerifyHMAC{KeysFile: file(h.Keys), Header: h.Header.V, Window: h.Window.V}
	}
	if a := &c.APIKey; a.Set {
		out.APIKey = &continuity.VerifyAPIKey{File: file(a.File), Header: a.Header.V}
	}
	return out
}

// algorithms are those stated, or else the usual ones for the kind of key.
func (j *jwtBlock) algorithms() []string {
	switch {
	case j.Algorithms.Set:
		return j.Algorithms.Values()
	case j.Secret.Set:
		return []string{"HS256"}
	}
	return []string{"RS256", "ES256", "PS256", "EdDSA"}
}
