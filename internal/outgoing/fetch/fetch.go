// Package fetch gets documents of other people by HTTP: only if they changed,
// never more than agreed, packed or not, and with words for what went wrong that
// bear nothing of what was sent.
package fetch

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// Mark is which version of a document was got, as its server names it.
type Mark struct {
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"modified,omitempty"`
}

// Request is what to get.
type Request struct {
	URL    string
	Mark   Mark   // of the version that is here already
	Auth   string // the field Authorization
	Accept string
	Most   int64 // bytes, unpacked
}

// Answer is what was got.
type Answer struct {
	Body []byte
	Type string // its Content-Type
	Mark Mark
	Same bool // nothing has changed, and there is no Body
}

// Why something was not got; Failure.Why.
const (
	Status      = "status" // an answer that is no success; "status"
	Redirect    = "redirect"
	Big         = "big" // "max"
	Packed      = "packed"
	Timeout     = "timeout"
	Certificate = "certificate"
	Refused     = "refused" // no rule lets Holdfast connect there
	Unreachable = "unreachable"
	Secret      = "secret" // the credentials can't be read
	Format      = "format" // it is not what it should be
)

// Failure is a document that was not got, or not understood.
type Failure struct {
	Why   string
	Args  map[string]any
	After time.Duration // the server asks not to come again before
	Err   error         // for logs, never for people
}

func (f *Failure) Error() string {
	if f.Err != nil {
		return "fetch: " + f.Why + ": " + f.Err.Error()
	}
	return "fetch: " + f.Why
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Fail makes a failure of name-value pairs.
func Fail(why string, err error, pairs ...any) *Failure {
	f := &Failure{Why: why, Err: err}
	for i := 0; i+1 < len(pairs); i += 2 {
		if f.Args == nil {
			f.Args = map[string]any{}
		}
		f.Args[pairs[i].(string)] = pairs[i+1]
	}
	return f
}

// DefaultMost is how much is read where a request says nothing.
const DefaultMost = 2 << 20

// Get gets a document. The client bounds what it reads packed, and its time.
func Get(ctx context.Context, client *http.Client, r Request) (Answer, error) {
	if r.Most == 0 {
		r.Most = DefaultMost
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL, nil)
	if err != nil {
		return Answer{}, Fail(Unreachable, err)
	}
	head := request.Header
	head.Set("User-Agent", "holdfast")
	head.Set("Accept-Encoding", "gzip")
	set(head, "Accept", r.Accept)
	set(head, "Authorization", r.Auth)
	set(head, "If-None-Match", r.Mark.ETag)
	set(head, "If-Modified-Since", r.Mark.Modified)
	response, err := client.Do(request)
	if err != nil {
		return Answer{}, Network(err)
	}
	defer response.Body.Close()
	switch status := response.StatusCode; {
	case status == http.StatusNotModified && r.Mark != (Mark{}):
		return Answer{Same: true, Mark: r.Mark}, nil
	case status >= 300 && status < 400:
		return Answer{}, Fail(Redirect, nil, "status", status)
	case status != http.StatusOK:
		f := Fail(Status, nil, "status", status)
		f.After = retryAfter(response.Header.Get("Retry-After"))
		return Answer{}, f
	}
	body, err := read(response, r.Most)
	if err != nil {
		return Answer{}, err
	}
	return Answer{Body: body, Type: response.Header.Get("Content-Type"), Mark: Mark{
		ETag: short(response.Header.Get("ETag")), Modified: short(response.Header.Get("Last-Modified")),
	}}, nil
}

func set(head http.Header, name, value string) {
	if value != "" {
		head.Set(name, value)
	}
}

// short forgets a mark that nobody needs to keep.
func short(mark string) string {
	if len(mark) > 256 {
		return ""
	}
	return mark
}

func read(response *http.Response, most int64) ([]byte, error) {
	var from io.Reader = response.Body
	switch packed := strings.ToLower(strings.TrimSpace(response.Header.Get("Content-Encoding"))); packed {
	case "", "identity":
	case "gzip", "x-gzip":
		unpacked, err := gzip.NewReader(response.Body)
		if err != nil {
			return nil, Fail(Packed, err)
		}
		from = unpacked
	default:
		return nil, Fail(Packed, nil)
	}
	body, err := io.ReadAll(io.LimitReader(from, most+1))
	var long *http.MaxBytesError
	switch {
	case int64(len(body)) > most || errors.As(err, &long):
		return nil, Fail(Big, nil, "max", most>>10)
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader):
		return nil, Fail(Packed, err)
	case err != nil:
		return nil, Network(err)
	}
	return body, nil
}

const longestAfter = 24 * time.Hour

// retryAfter reads seconds; a date is as good as none, as clocks differ.
func retryAfter(text string) time.Duration {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(min(n, 1<<20))*time.Second, longestAfter)
}

// Network makes a failure of what a connection said.
func Network(err error) *Failure {
	var timeout net.Error
	var refused *continuity.Error
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &refused) && refused.Code == continuity.CodeOutgoing:
		return Fail(Refused, err)
	case errors.As(err, &unknown), errors.As(err, &name), errors.As(err, &invalid), errors.As(err, &verify), errors.As(err, &record):
		return Fail(Certificate, err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Fail(Timeout, err)
	}
	return Fail(Unreachable, err)
}
