package config

import (
	"net/netip"

	"holdfast/internal/continuity"
)

// listenBlock is one place where clients connect; its address may stand for it.
type listenBlock struct {
	block
	Address value[string] `yaml:"address" kind:"address" required:"true" short:"true" example:"0.0.0.0:443"`
	TLS     tlsBlock      `yaml:"tls"`
	Proxy   value[bool]   `yaml:"proxy_protocol" kind:"bool" default:"false"`
}

type tlsBlock struct {
	block
	Certificates []certificateBlock `yaml:"certificates"`
	ACME         acmeBlock          `yaml:"acme"`
	Internal     list[string]       `yaml:"internal" kind:"name" example:"[orders.internal, 10.0.0.5]"`
	Minimum      value[string]      `yaml:"minimum" kind:"word" of:"tls-1.2,tls-1.3" default:"tls-1.2"`
	Clients      value[string]      `yaml:"clients" kind:"word" of:"anonymous,ask,require" default:"anonymous"`
	ClientCA     value[string]      `yaml:"client_ca" kind:"file" example:"clients.pem"`
}

type certificateBlock struct {
	block
	Cert value[string] `yaml:"cert" kind:"file" required:"true" example:"shop.pem"`
	Key  value[string] `yaml:"key" kind:"file" required:"true" example:"shop.key"`
}

type acmeBlock struct {
	block
	Names     list[string]  `yaml:"names" kind:"host" required:"true" example:"[shop.example]"`
	Email     value[string] `yaml:"email" kind:"text" example:"ops@shop.example"`
	Directory value[string] `yaml:"directory" kind:"https" default:"https://acme-v02.api.letsencrypt.org/directory"`
	CA        value[string] `yaml:"ca" kind:"file" example:"acme-root.pem"`
}

type upstreamTLSBlock struct {
	block
	CA   value[string] `yaml:"ca" kind:"file" example:"upstream-ca.pem"`
	Cert value[string] `yaml:"cert" kind:"file" example:"relay.pem"`
	Key  value[string] `yaml:"key" kind:"file" example:"relay.key"`
	Name value[string] `yaml:"name" kind:"host" example:"orders.internal"`
}

// defaultTrusted are the proxies that are believed where none are named: those
// on this machine.
var defaultTrusted = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func buildListeners(doc *document, dir string) []continuity.Listener {
	file := func(v *value[string]) string {
		if !v.Set {
			return ""
		}
		return resolve(dir, v.V)
	}
	out := make([]continuity.Listener, 0, len(doc.Listen))
	for i := range doc.Listen {
		l := &doc.Listen[i]
		one := continuity.Listener{Address: l.Address.V, Proxy: l.Proxy.V}
		if t := &l.TLS; t.Set {
			one.TLS = &continuity.TLS{
				Internal: t.Internal.Values(), Modern: t.Minimum.V == "tls-1.3", Clients: clientModes[t.Clients.V], ClientCA: file(&t.ClientCA),
			}
			if !t.Clients.Set && doc.wantsCertificates() {
				one.TLS.Clients = continuity.ClientsAsked
			}
			for n := range t.Certificates {
				c := &t.Certificates[n]
				one.TLS.Pairs = append(one.TLS.Pairs, continuity.Pair{Certificate: file(&c.Cert), Key: file(&c.Key)})
			}
			if a := &t.ACME; a.Set {
				one.TLS.ACME = &continuity.ACME{Directory: a.Directory.V, CA: file(&a.CA), Email: a.Email.V, Names: a.Names.Values()}
			}
		}
		out = append(out, one)
	}
	return out
}

// wantsCertificates reports whether a route knows its callers by certificates
// that they show to the relay itself.
func (doc *document) wantsCertificates() bool {
	for i := range doc.Routes {
		if m := &doc.Routes[i].Caller.MTLS; m.Set && !m.Header.Set {
			return true
		}
	}
	return false
}

var clientModes = map[string]continuity.ClientCertificates{
	"ask": continuity.ClientsAsked, "require": continuity.ClientsRequired,
}

func buildUpstreamTLS(t *upstreamTLSBlock, dir string) *continuity.UpstreamTLS {
	if !t.Set {
		return nil
	}
	out := &continuity.UpstreamTLS{Name: t.Name.V}
	for _, f := range []struct {
		to   *string
		from *value[string]
	}{{&out.CA, &t.CA}, {&out.Certificate, &t.Cert}, {&out.Key, &t.Key}} {
		if f.from.Set {
			*f.to = resolve(dir, f.from.V)
		}
	}
	return out
}

// trusted are the proxies whose word about clients counts.
func (doc *document) trusted() []netip.Prefix {
	if doc.Trusted.Set {
		return doc.Trusted.Values()
	}
	return defaultTrusted
}

// checkListeners holds each listener to one source of certificates.
func checkListeners(f *findings, doc *document) {
	for i := range doc.Listen {
		l := &doc.Listen[i]
		for n := range i {
			if same(l.Address.V, doc.Listen[n].Address.V) {
				f.Error(l.Address.At, "config.listen-twice", "value", l.Address.V)
			}
		}
		if t := &l.TLS; t.Set {
			sources := 0
			for _, set := range []bool{t.Certificates != nil, t.ACME.Set, t.Internal.Set} {
				if set {
					sources++
				}
			}
			if sources != 1 && !f.ReportedOn(t.At.Line) {
				f.Error(t.At, "config.tls-source")
			}
			if t.ClientCA.Set && t.Clients.V == "anonymous" {
				f.Warning(t.ClientCA.At, "config.no-clients", "field", "listen.tls.client_ca")
			}
		}
	}
}

func checkUpstreamTLS(f *findings, r *routeBlock) {
	t := &r.UpstreamTLS
	if !t.Set {
		return
	}
	if r.Upstream.V != "" && !isHTTPS(r.Upstream.V) {
		f.Error(t.At, "config.upstream-tls-plain", "value", r.Upstream.Text)
	}
	if t.Cert.Set != t.Key.Set {
		f.Error(t.At, "config.pair")
	}
}
