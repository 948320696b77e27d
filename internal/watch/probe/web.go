package probe

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"

	"holdfast/internal/outgoing"
)

// Web are the HTTP clients that all probes share. Their requests bound the time
// themselves.
type Web struct {
	Kept  *http.Client // connections wait for the next look
	Fresh *http.Client // each look makes a new one
}

// NewTools makes the tools of a node.
func NewTools(node string, guard *outgoing.Guard, roots *x509.CertPool, beats func(string) (Beat, bool)) *Tools {
	config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return &Tools{Node: node, Guard: guard, Roots: roots, Beats: beats, Web: webOf(guard, config), Kept: keptBy(guard), tls: config}
}

func keptBy(guard *outgoing.Guard) *Kept {
	k := &Kept{}
	guard.Keeps(k)
	return k
}

func webOf(guard *outgoing.Guard, config *tls.Config) Web {
	client := func(fresh bool) *http.Client {
		return &http.Client{CheckRedirect: outgoing.SameHost, Transport: guard.Transport(outgoing.Options{
			Body: MaxRead, TLS: config, Fresh: fresh,
		})}
	}
	return Web{client(false), client(true)}
}
