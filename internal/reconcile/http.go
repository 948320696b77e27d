package reconcile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/jsonpointer"
)

// The bounds of a list over HTTP.
const (
	pageBytes = 64 << 20
	pages     = 100_000
)

// readHTTP asks for one page after the other, of one host only, and follows no
// redirect, so that the token goes nowhere else.
func readHTTP(ctx context.Context, cfg continuity.Reconcile, _ time.Duration, give func([][]byte) error) error {
	p := cfg.Pages
	next, err := url.Parse(cfg.DSN)
	if err != nil || p == nil {
		return &failure{step: stepDSN}
	}
	transport := &http.Transport{Proxy: nil, ResponseHeaderTimeout: time.Minute, MaxIdleConnsPerHost: 1}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	clean := newCleaner(cfg.DSN, p.Token)
	seen := map[string]bool{}
	for range pages {
		at := next.String()
		if seen[at] {
			return &failure{step: stepPages, text: "a page names one that was read already"}
		}
		seen[at] = true
		page, err := fetch(ctx, client, at, p.Token, clean)
		if err != nil {
			return err
		}
		if err := giveItems(page, p, give); err != nil {
			return err
		}
		if next, err = following(next, page, p); next == nil || err != nil {
			return err
		}
	}
	return &failure{step: stepPages, text: fmt.Sprintf("more than %d pages", pages)}
}

func fetch(ctx context.Context, client *http.Client, at, token string, clean cleaner) (any, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, &failure{step: stepDSN}
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "holdfast")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, &failure{step: stepConnect, text: httpRefusal(err)}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, &failure{step: stepPages, text: "status " + strconv.Itoa(resp.StatusCode)}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, pageBytes+1))
	switch {
	case err != nil:
		return nil, &failure{step: stepPages, text: "the connection broke off"}
	case len(body) > pageBytes:
		return nil, &failure{step: stepPages, text: fmt.Sprintf("a page of more than %d bytes", pageBytes)}
	}
	var page any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber() // amounts are exact
	if err := dec.Decode(&page); err != nil {
		return nil, &failure{step: stepPages, text: clean.text("not JSON: " + err.Error())}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, &failure{step: stepPages, text: "not JSON: more than one value"}
	}
	return page, nil
}

// httpRefusal says why a page did not come, without the error's own text, which
// names the address.
func httpRefusal(err error) string {
	var u *url.Error
	if errors.As(err, &u) && u.Timeout() {
		return "no answer in time"
	}
	return "no connection"
}

func giveItems(page any, p *continuity.Pages, give func([][]byte) error) error {
	list, ok := at(page, p.Items).([]any)
	if !ok {
		return &failure{step: stepPages, text: "no list at " + pointerName(p.Items)}
	}
	columns := make([][]byte, 0, 3)
	for _, item := range list {
		if _, ok := item.(map[string]any); !ok {
			return &failure{step: stepPages, text: "an item that is no object"}
		}
		columns = append(columns[:0], scalar(at(item, p.Key)))
		if p.Amount != "" {
			columns = append(columns, scalar(at(item, p.Amount)))
			if p.Currency != "" {
				columns = append(columns, scalar(at(item, p.Currency)))
			}
		}
		if err := give(columns); err != nil {
			return err
		}
	}
	return nil
}

// following is the next page; nil after the last one.
func following(from *url.URL, page any, p *continuity.Pages) (*url.URL, error) {
	if p.Next == "" {
		return nil, nil
	}
	text := string(scalar(at(page, p.Next)))
	if text == "" {
		return nil, nil
	}
	if p.Cursor != "" {
		next := *from
		query := next.Query()
		query.Set(p.Cursor, text)
		next.RawQuery = query.Encode()
		return &next, nil
	}
	next, err := from.Parse(text)
	if err != nil {
		return nil, &failure{step: stepPages, text: "the next page has no address"}
	}
	if next.Scheme != from.Scheme || next.Host != from.Host {
		return nil, &failure{step: stepPages, text: "the next page is at another host"}
	}
	return next, nil
}

func pointerName(pointer string) string {
	if pointer == "" {
		return "the page itself"
	}
	return "json:" + pointer
}

// at follows a JSON pointer (RFC 6901); nil where nothing is.
func at(v any, pointer string) any {
	names, err := jsonpointer.Parse(pointer)
	if err != nil {
		return nil
	}
	for _, name := range names {
		switch holder := v.(type) {
		case map[string]any:
			v = holder[name]
		case []any:
			n, err := strconv.Atoi(name)
			if err != nil || n < 0 || n >= len(holder) {
				return nil
			}
			v = holder[n]
		default:
			return nil
		}
	}
	return v
}

// scalar is a value as text; nil where it is none.
func scalar(v any) []byte {
	switch v := v.(type) {
	case string:
		return []byte(v)
	case json.Number:
		return []byte(v)
	}
	return nil
}
