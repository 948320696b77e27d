package httpsend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"holdfast/internal/notify"
)

// mostAnswer bounds what is read of a provider's answer.
const mostAnswer = 64 << 10

// Answer is what a provider said, whatever its status.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON makes a request that posts a value. Its signs stand as they are where JSON
// lets them: there are providers that refuse \u003c.
func JSON(ctx context.Context, address string, value any) (*http.Request, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, &notify.Failure{Code: notify.FailContent}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, &body)
	if err != nil {
		return nil, &notify.Failure{Code: notify.FailSettings}
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	return req, nil
}

// Ask sends a request and reads the answer, a bounded part of it. An error is a
// *notify.Failure: there was no answer, or not a whole one.
func Ask(client *http.Client, req *http.Request) (*Answer, error) {
	res, err := send(client, req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	a := &Answer{Status: res.StatusCode, Header: res.Header}
	a.Body, err = io.ReadAll(io.LimitReader(res.Body, mostAnswer))
	if _, long := errors.AsType[*http.MaxBytesError](err); err != nil && !long && a.OK() {
		return nil, Failed(err, true)
	}
	return a, nil
}

// OK reports whether the status is one of success, which says nothing of the body.
func (a *Answer) OK() bool { return a.Status >= 200 && a.Status <= 299 }

// Read reads the body as JSON, and reports whether it is such.
func (a *Answer) Read(into any) bool { return json.Unmarshal(a.Body, into) == nil }

// Codes are what a provider's own codes mean.
type Codes map[string]notify.Failure

// Failure is what a provider's code means, or the status where the table has no
// such code. An unknown code within a success is a failure too: the provider took
// nothing.
func (a *Answer) Failure(codes Codes, code string, now time.Time) *notify.Failure {
	code = word(code)
	f, known := codes[code]
	switch {
	case known:
		f.Status, f.After = a.Status, max(f.After, After(a.Header.Get("Retry-After"), now))
	case !a.OK():
		f = *Status(a.Status, a.Header, now)
	default:
		f = notify.Failure{Code: notify.FailUnknown, Retry: true, Status: a.Status}
	}
	f.Said = code
	return &f
}

// Strange is the failure where a success has a body that the provider's never has,
// such as the page at which a hotel's network wants its guests to log in.
func (a *Answer) Strange() *notify.Failure {
	return &notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true, Status: a.Status, Said: "body"}
}

// word is a code as it may be shown: what else a body holds is nobody's business.
func word(code string) string {
	if len(code) > 60 {
		return ""
	}
	for _, r := range code {
		if r != '_' && r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return ""
		}
	}
	return code
}
