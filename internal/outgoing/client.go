package outgoing

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"time"
)

// Limits of what a client reads and waits for where its options say nothing.
const (
	DefaultTime   = 30 * time.Second
	DefaultBody   = 1 << 20
	DefaultHeader = 64 << 10
)

// maxRedirects bounds how often a client is sent on, within one host.
const maxRedirects = 5

// Options of a client; the zero value has the defaults.
type Options struct {
	Time   time.Duration // the whole exchange, the body included
	Body   int64         // bytes of a response's body; more is an *http.MaxBytesError
	Header int64         // bytes of a response's head
	TLS    *tls.Config
	Fresh  bool // a new connection for each request
	Idle   int  // connections that wait for a host's next request; 0: 2
}

// Client makes an HTTP client that reaches what the guard lets in. A redirect
// to another host is not followed: the response that asks for it is the answer.
func (g *Guard) Client(o Options) *http.Client {
	if o.Time == 0 {
		o.Time = DefaultTime
	}
	transport := g.Transport(o)
	return &http.Client{Transport: transport, Timeout: o.Time, CheckRedirect: SameHost}
}

// Transport makes what a client sends with, for those who bound the time of an
// exchange by its context.
func (g *Guard) Transport(o Options) http.RoundTripper {
	if o.Header == 0 {
		o.Header = DefaultHeader
	}
	if o.Body == 0 {
		o.Body = DefaultBody
	}
	t := &http.Transport{
		DialContext:            g.DialContext,
		TLSClientConfig:        o.TLS,
		TLSHandshakeTimeout:    dialTimeout,
		ForceAttemptHTTP2:      true,
		DisableKeepAlives:      o.Fresh,
		DisableCompression:     true, // what unpacks to more than was sent is not bounded by what is read
		MaxIdleConnsPerHost:    o.Idle,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: o.Header,
		ReadBufferSize:         2 << 10,
		WriteBufferSize:        2 << 10,
	}
	g.Keeps(t)
	return &bounded{t, o.Body}
}

// bounded ends a body that is longer than agreed.
type bounded struct {
	*http.Transport
	limit int64
}

func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.Transport.RoundTrip(r)
	if err == nil && response.StatusCode != http.StatusSwitchingProtocols {
		response.Body = http.MaxBytesReader(nil, response.Body, b.limit)
	}
	return response, err
}

// SameHost is a client's CheckRedirect: it follows within a host, and from http
// to https of the same host, and takes what else comes as the answer.
func SameHost(next *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects || !sameHost(via[len(via)-1].URL, next.URL) {
		return http.ErrUseLastResponse
	}
	return nil
}

func sameHost(from, to *url.URL) bool {
	if from.Scheme == to.Scheme {
		return canonical(from.Host) == canonical(to.Host)
	}
	return from.Scheme == "http" && to.Scheme == "https" && canonical(from.Hostname()) == canonical(to.Hostname()) &&
		(from.Port() == "" || from.Port() == "80") && (to.Port() == "" || to.Port() == "443")
}
