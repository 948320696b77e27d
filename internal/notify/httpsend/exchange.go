package httpsend

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// Said is an answer that was read to its end, whatever its status: some providers
// say in the body of an error what it was.
type Said struct {
	Status int
	Header http.Header
	Body   []byte
}

// Exchange sends a request and reads the answer; the client bounds how much of it.
// An error is a *notify.Failure: no answer came, or only a part.
func Exchange(client *http.Client, req *http.Request) (Said, error) {
	var wrote atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { wrote.Store(true) }}
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), trace))
	req.Header.Set("User-Agent", "Holdfast")
	res, err := client.Do(req)
	if err != nil {
		return Said{}, Failed(err, wrote.Load())
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return Said{}, Failed(err, true)
	}
	return Said{Status: res.StatusCode, Header: res.Header, Body: body}, nil
}

// OK says whether the status is one of success.
func (s Said) OK() bool { return s.Status >= 200 && s.Status <= 299 }
