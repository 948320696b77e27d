package config

import (
	"path/filepath"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/yamldoc"
)

// A listener asks for certificates where a route goes by them, unless it says
// otherwise.
func TestListenersAskForCertificates(t *testing.T) {
	const routes = "routes:\n  - id: a\n    upstream: http://127.0.0.1:9001\n"
	const mtls = "    caller: {mtls: {ca: ca.pem}}\n"
	for _, c := range []struct {
		tls, caller string
		want        continuity.ClientCertificates
	}{
		{"", "", continuity.ClientsAnonymous},
		{"", mtls, continuity.ClientsAsked},
		{", clients: anonymous", mtls, continuity.ClientsAnonymous},
		{", clients: require", mtls, continuity.ClientsRequired},
	} {
		f := yamldoc.NewFindings("relay.yaml")
		doc, _ := examine(f, []byte("listen: [{address: \":9443\", tls: {internal: a.test"+c.tls+"}}]\n"+routes+c.caller))
		if doc == nil || f.Failed() {
			t.Fatalf("%+v", f.Settle(nil))
		}
		if got := build(doc, filepath.Dir("/")).Listeners[0].TLS.Clients; got != c.want {
			t.Errorf("%q, %q: %d", c.tls, c.caller, got)
		}
	}
}
