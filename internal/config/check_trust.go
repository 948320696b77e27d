package config

import "strings"

// short reads the one word that stands in the place of a block.
func (c *callerBlock) short(d *decoder, n *node) {
	if c.public = n.text == "public"; !c.public {
		d.error(n.at, "config.caller-word", "value", brief(n.text))
	}
}

// checkTrust holds what a route says about its callers together.
func checkTrust(f *findings, r *routeBlock) {
	c := &r.Caller
	if !c.set || c.public {
		return
	}
	if !c.JWT.set && !c.MTLS.set && !c.HMAC.set && !c.APIKey.set {
		if !f.reportedOn(c.at.line) {
			f.error(c.at, "config.caller-empty")
		}
		return
	}
	if j := &c.JWT; j.set {
		given := 0
		for _, set := range []bool{j.JWKS.set, j.Keys.set, j.Secret.set} {
			if set {
				given++
			}
		}
		if given != 1 {
			f.error(j.at, "config.caller-keys")
		}
		for _, a := range j.Algorithms.items {
			if strings.HasPrefix(a.V, "HS") != j.Secret.set {
				f.error(a.at, "config.caller-algorithm", "value", a.V)
			}
		}
		if j.JWKS.set && j.Refresh.V > j.MaxAge.V {
			f.error(fallback(j.Refresh.at, j.MaxAge.at), "config.caller-refresh", "refresh", j.Refresh.text, "age", j.MaxAge.text)
		}
	}
	if m := &c.MTLS; m.set && m.Header.set != m.Proxies.set {
		f.error(fallback(m.Header.at, m.Proxies.at), "config.caller-proxies")
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
		if !x.v.set {
			continue
		}
		path := resolve(dir, x.v.V)
		if x.secret {
			secretFile(f, Warning, x.v.at, x.name, path, false)
		} else {
			readableFile(f, x.v.at, x.name, path)
		}
	}
}
