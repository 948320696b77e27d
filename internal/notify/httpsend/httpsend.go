// Package httpsend is what channels that speak HTTP have in common: one request,
// what its failure or the provider's own code means, and texts as providers bound
// them.
package httpsend

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
)

// mostWait bounds for how long a provider may ask to wait.
const mostWait = 24 * time.Hour

// Do sends a request. It returns the response where its status is one of success,
// with its body open, and a *notify.Failure otherwise; what a body of success says
// is the channel's to read.
func Do(client *http.Client, req *http.Request, now time.Time) (*http.Response, error) {
	res, err := send(client, req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= 200 && res.StatusCode <= 299 {
		return res, nil
	}
	_ = res.Body.Close()
	return nil, Status(res.StatusCode, res.Header, now)
}

// send sends a request; an error is a *notify.Failure.
func send(client *http.Client, req *http.Request) (*http.Response, error) {
	var wrote atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { wrote.Store(true) }}
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), trace))
	req.Header.Set("User-Agent", "Holdfast")
	res, err := client.Do(req) // #nosec G704 -- the client goes only where the node's rules let it
	if err != nil {
		return nil, Failed(err, wrote.Load())
	}
	return res, nil
}

// Failed is what it means that no response came; wrote says that the request may
// have reached the provider.
func Failed(err error, wrote bool) *notify.Failure {
	switch {
	case errors.Is(err, context.Canceled):
		return &notify.Failure{Code: notify.FailUncertain, Retry: true, Maybe: wrote}
	case continuity.CodeOf(err) == continuity.CodeOutgoing:
		return &notify.Failure{Code: notify.FailSettings, Said: "outgoing"}
	case wrote:
		return &notify.Failure{Code: notify.FailUncertain, Retry: true, Maybe: true}
	}
	return &notify.Failure{Code: notify.FailUnreachable, Retry: true}
}

// Status is what a status that is none of success means.
func Status(status int, head http.Header, now time.Time) *notify.Failure {
	f := &notify.Failure{Code: notify.FailContent, Status: status, After: After(head.Get("Retry-After"), now)}
	switch {
	case status == http.StatusTooManyRequests:
		f.Code, f.Retry = notify.FailRate, true
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusProxyAuthRequired:
		f.Code = notify.FailRefused
	case status == http.StatusNotFound, status == http.StatusGone:
		f.Code = notify.FailAddress
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		f.Code, f.Retry = notify.FailProvider, true
	case status >= 300 && status <= 399: // to another host: not followed
		f.Code = notify.FailSettings
	case status == http.StatusBadGateway, status == http.StatusGatewayTimeout, status == http.StatusInternalServerError:
		f.Code, f.Retry, f.Maybe = notify.FailProvider, true, true
	case status >= 500:
		f.Code, f.Retry = notify.FailProvider, true
	}
	return f
}

// After reads a Retry-After.
func After(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, mostWait) // #nosec G115 -- 31 bits
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), mostWait)
	}
	return 0
}
