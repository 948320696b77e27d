package caller

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// Request is what a proof is looked for in.
type Request struct {
	Method string
	Target string
	Header []continuity.Field
	// Body is the whole body, or Whole is false.
	Body   []byte
	Whole  bool
	Remote string // host:port
	TLS    *tls.ConnectionState
}

// Identity is a verified caller.
type Identity struct {
	Name   string   // unique among the route's callers, by way and name
	Scopes []string // what it may do, as far as its proof said
}

// Refusal says why a caller is not verified. Its text is for logs; Why is a word
// that may be told to the caller.
type Refusal struct {
	Why string
	// Ours says that the proof could not be judged: there are no keys to do it
	// with.
	Ours bool
	// Claims is whom the proof names without proving it, by the name that it would
	// have proven; empty: nobody. Nothing may be allowed by it.
	Claims string
	Err    error
}

// Error implements error.
func (r *Refusal) Error() string {
	if r.Err != nil {
		return "caller: " + r.Why + ": " + r.Err.Error()
	}
	return "caller: " + r.Why
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// The words of refusals.
const (
	WhyAbsent      = "absent"
	WhyMalformed   = "malformed"
	WhyAlgorithm   = "algorithm"
	WhySignature   = "signature"
	WhyExpired     = "expired"
	WhyIssuer      = "issuer"
	WhyAudience    = "audience"
	WhyClaim       = "claim"
	WhyUnknown     = "unknown"
	WhyWindow      = "window"
	WhyBody        = "body"
	WhyUnavailable = "unavailable"
)

var errAbsent = &Refusal{Why: WhyAbsent}

func refuse(why string, err error) error { return &Refusal{Why: why, Err: err} }

func unavailable(err error) error { return &Refusal{Why: WhyUnavailable, Ours: true, Err: err} }

// claiming is a refusal of a proof that names somebody.
func claiming(err error, way, name string) error {
	if r, ok := err.(*Refusal); ok && name != "" { //nolint:errorlint // made here, and fresh
		r.Claims = way + name
	}
	return err
}

// way is one way to verify. It returns errAbsent where the request bears no
// proof of its kind.
type way interface {
	verify(req *Request) (Identity, error)
	challenge() string // of a 401
	close()
}

// Verifier verifies the callers of one route. It is safe for concurrent use.
type Verifier struct{ ways []way }

// Options say what a Verifier works with.
type Options struct {
	CacheDir string       // for keys of issuers; empty: memory only
	Client   *http.Client // nil: one with short time-outs
	Logger   *slog.Logger
	Now      func() time.Time // nil: time.Now
}

// New makes a Verifier and begins to fetch what it needs. Files that can't be
// read yet are no error: nobody is verified by them until they can.
func New(v *continuity.Verify, o Options) (*Verifier, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Client == nil {
		o.Client = &http.Client{
			Timeout: 10 * time.Second, CheckRedirect: staySecure,
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConns: 1, IdleConnTimeout: time.Minute},
		}
	}
	out := &Verifier{}
	if v.MTLS != nil {
		out.ways = append(out.ways, newMTLS(v.MTLS, o))
	}
	if v.HMAC != nil {
		out.ways = append(out.ways, newHMAC(v.HMAC, o))
	}
	if v.JWT != nil {
		w, err := newJWT(v.JWT, o)
		if err != nil {
			out.Close()
			return nil, err
		}
		out.ways = append(out.ways, w)
	}
	if v.APIKey != nil {
		out.ways = append(out.ways, newAPIKey(v.APIKey, o))
	}
	if len(out.ways) == 0 {
		return nil, errors.New("caller: no way to verify")
	}
	return out, nil
}

// staySecure follows a few redirects, none of them out of TLS: whoever stands
// between could give keys of their own.
func staySecure(req *http.Request, via []*http.Request) error {
	switch {
	case len(via) > 3:
		return errors.New("too many redirects")
	case via[0].URL.Scheme == "https" && req.URL.Scheme != "https":
		return errors.New("a redirect out of TLS")
	}
	return nil
}

// Verify returns who sent a request, or a *Refusal.
func (v *Verifier) Verify(req *Request) (Identity, error) {
	for _, w := range v.ways {
		id, err := w.verify(req)
		if err != errAbsent { //nolint:errorlint // the very value
			return id, err
		}
	}
	return Identity{}, errAbsent
}

// Challenge is what a 401 bears as WWW-Authenticate.
func (v *Verifier) Challenge() string {
	all := make([]string, 0, len(v.ways))
	for _, w := range v.ways {
		all = append(all, w.challenge())
	}
	return strings.Join(all, ", ")
}

// Close ends what runs in the background.
func (v *Verifier) Close() {
	for _, w := range v.ways {
		w.close()
	}
}

// field returns the one value of a header field; a field with two values proves
// nothing.
func field(header []continuity.Field, name string) (value string, ok, twice bool) {
	for i := range header {
		if len(header[i].Name) == len(name) && strings.EqualFold(header[i].Name, name) {
			if ok {
				return "", true, true
			}
			value, ok = header[i].Value, true
		}
	}
	return value, ok, false
}

// scheme cuts an authentication scheme off a field's value.
func scheme(value, name string) (string, bool) {
	if len(value) > len(name) && value[len(name)] == ' ' && strings.EqualFold(value[:len(name)], name) {
		return strings.TrimSpace(value[len(name)+1:]), true
	}
	return "", false
}
