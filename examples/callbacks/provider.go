package callbacks

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"
)

// Notice is what a provider tells: somebody paid for an order.
type Notice struct {
	ID      string // the notice's own; the same each time it is sent
	Order   string // the shop's number
	Subject string
	Fen     int
}

// Provider sends notices until they are answered as it wants.
type Provider struct {
	URL string
	// Make makes the request of a notice, dated and signed anew each time.
	Make func(n Notice, at time.Time) (body []byte, header http.Header, err error)
	// Enough reports whether an answer ends the sending.
	Enough func(status int, body string) bool
	// Limit is how long an answer may take.
	Limit time.Duration
	// Again is how long to wait before each further try; none follows the last.
	Again []time.Duration
}

// Try is one sending and what came of it.
type Try struct {
	Status int
	Header http.Header
	Body   string
	Err    error
	Enough bool
}

// Tell sends a notice, again and again as the schedule says, and returns all
// tries. The last one got its answer, or nobody did.
func (p *Provider) Tell(ctx context.Context, n Notice) []Try {
	var tries []Try
	for nth := 0; ; nth++ {
		try := p.try(ctx, n)
		tries = append(tries, try)
		if try.Enough || nth >= len(p.Again) {
			return tries
		}
		select {
		case <-ctx.Done():
			return tries
		case <-time.After(p.Again[nth]):
		}
	}
}

func (p *Provider) try(ctx context.Context, n Notice) Try {
	ctx, cancel := context.WithTimeout(ctx, p.Limit)
	defer cancel()
	body, header, err := p.Make(n, time.Now())
	if err != nil {
		return Try{Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL, bytes.NewReader(body))
	if err != nil {
		return Try{Err: err}
	}
	req.Header = header
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return Try{Err: err}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, largest))
	if err != nil {
		return Try{Err: err}
	}
	return Try{Status: res.StatusCode, Header: res.Header, Body: string(text), Enough: p.Enough(res.StatusCode, string(text))}
}

const largest = 64 << 10
