package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"holdfast/internal/sign"
)

// Message is what an endpoint is told.
type Message struct {
	Type      string    `json:"type"` // request. and the state
	Timestamp time.Time `json:"timestamp"`
	Data      Data      `json:"data"`
}

// Data says which request ended, and how.
type Data struct {
	Receipt string `json:"receipt"`
	Route   string `json:"route"`
	State   string `json:"state"`
	Reason  string `json:"reason,omitempty"`
	Status  int    `json:"status,omitempty"` // of the final response
}

// answer is what came of a try.
type answer struct {
	ok, gone bool
	after    time.Duration // the endpoint asked to wait
	why      string
}

const mostAnswer = 16 << 10

func newTransport() http.RoundTripper {
	return &http.Transport{ // without Proxy: requests go where the configuration says
		DialContext:     (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2: true, MaxIdleConnsPerHost: mostOut, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10,
	}
}

// tell makes one try. Each is signed at its own time.
func (c *Courier) tell(ctx context.Context, i *item) answer {
	body, err := json.Marshal(Message{
		Type: "request." + i.State, Timestamp: i.At,
		Data: Data{Receipt: i.Receipt, Route: c.Route, State: i.State, Reason: i.Reason, Status: i.Status},
	})
	if err != nil {
		return answer{why: err.Error()}
	}
	now := time.Now()
	signature, err := sign.WebhookSignature(c.Hook.Secret, i.id(), now.Unix(), body)
	if err != nil {
		return answer{why: err.Error()}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Hook.URL, bytes.NewReader(body))
	if err != nil {
		return answer{why: "the URL can't be used"}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Holdfast")
	req.Header.Set("webhook-id", i.id())
	req.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	req.Header.Set("webhook-signature", signature)
	res, err := c.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) { // without the URL, whose query may hold a secret
			err = u.Err
		}
		return answer{why: err.Error()}
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, mostAnswer) // so that the connection can be used again
	a := answer{ok: res.StatusCode >= 200 && res.StatusCode <= 299, gone: res.StatusCode == http.StatusGone, why: res.Status}
	if !a.ok {
		a.after = retryAfter(res.Header.Get("Retry-After"), now)
	}
	return a
}

func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, mostQuiet) // #nosec G115 -- 31 bits
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), mostQuiet)
	}
	return 0
}
