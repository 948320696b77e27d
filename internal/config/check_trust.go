package config

import (
	"strings"

	"holdfast/internal/yamldoc"
)

// Short reads the one word that stands in the place of a block.
func (c *callerBlock) Short(f *findings, n *yamldoc.Node) {
	if c.public = n.Text == "public"; !c.public {
		f.Error(n.At, "config.caller-word", "value", yamldoc.Brief(n.Text))
	}
}

// checkTrust holds what a route says about its callers together.
func checkTrust(f *findings, r *routeBlock) {
	c := &r.Caller
	if !c.Set || c.public {
		return
	}
	if !c.JWT.Set && !c.MTLS.Set && !c.HMAC.Set && !c.APIKey.Set {
		if !f.ReportedOn(c.At.Line) {
			f.Error(c.At, "config.caller-empty")
		}
		return
	}
	if j := &c.JWT; j.Set {
		given := 0
		for _, set := range []bool{j.JWKS.Set, j.Keys.Set, j.Secret.Set} {
			if set {
				given++
			}
		}
		if given != 1 {
			f.Error(j.At, "config.caller-keys")
		}
		for _, a := range j.Algorithms.Items {
			if strings.HasPrefix(a.V, "HS") != j.Secret.Set {
				f.Error(a.At, "config.caller-algorithm", "value", a.V)
			}
		}
		if j.JWKS.Set && j.Refresh.V > j.MaxAge.V {
			f.Error(fallback(j.Refresh.At, j.MaxAge.At), "config.caller-refresh", "refresh", j.Refresh.Text, "age", j.MaxAge.Text)
		}
	}
	if m := &c.MTLS; m.Set && m.Header.Set != m.Proxies.Set {
		f.Error(fallback(m.Header.At, m.Proxies.At), "config.caller-proxies")
	}
}

// checkTrustFiles looks at the files by which callers are verified. What is
// wrong with them is a warning: a relay that does not start would be missed at
// once, one that verifies nobody still passes.
func checkTrustFiles(f *findings, r *routeBlock, dir string) {
	c := &r.Caller
	for _, x := range []struct {
		name   string
		v      *value[string]
		secret bool
	}{
		{"caller.jwt.keys", &c.JWT.Keys, false},
		{"caller.jwt.secret", &c.JWT.Secret, true},
		{"caller.mtls.ca", &c.MTLS.CA, false},
		{"caller.hmac.keys", &c.HMAC.Keys, true},
		{"caller.api_key.file", &c.APIKey.File, false},
	} {
		if !x.v.Set {
			continue
		}
		path := resolve(dir, x.v.V)
		if x.secret {
			secretFile(f, yamldoc.Warning, x.v.At, x.name, path, false)
		} else {
			readableFile(f, x.v.At, x.name, path)
		}
	}
}
