package controlapi

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// PersonHeader names who asks where only the node's own token says who may.
const PersonHeader = access.PersonHeader

// Client asks a control node. Its errors are *continuity.Error with the code that
// the node gave, or CodeUnreachable; Fields has what is wrong with each part.
type Client struct {
	base, token, person string
	lang                catalogue.Lang
	http                *http.Client
}

// NewClient makes a client of an address (host:port, or a URL). roots verify its
// certificate; nil: the machine's.
func NewClient(address, token, person string, lang catalogue.Lang, roots *x509.CertPool) *Client {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	transport := &http.Transport{
		Proxy: nil, MaxIdleConns: 2, IdleConnTimeout: 10 * time.Second, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}
	return &Client{
		base: strings.TrimSuffix(address, "/"), token: token, person: person, lang: lang,
		http: &http.Client{
			Transport: transport,
			// The token must not follow a redirect to another place.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Fields are what is wrong with each part of a request that was refused.
func Fields(err error) []FieldError {
	var r rejected
	errors.As(err, &r)
	return r.fields
}

// Get asks for one object; version is its ETag, or 0.
func Get[T any](ctx context.Context, c *Client, path string, query url.Values) (v T, version int64, err error) {
	return call[T](ctx, c, http.MethodGet, path, query, nil, nil)
}

// Post sends a request that is done once, however often the connection breaks.
func Post[T any](ctx context.Context, c *Client, path string, body any) (T, error) {
	headers := http.Header{"Idempotency-Key": {rand.Text()}}
	v, _, err := call[T](ctx, c, http.MethodPost, path, nil, body, headers)
	if continuity.CodeOf(err) == continuity.CodeUnreachable && ctx.Err() == nil {
		v, _, err = call[T](ctx, c, http.MethodPost, path, nil, body, headers)
	}
	return v, err
}

// Put edits the version that was seen; continuity.VersionNew makes a new object.
func Put[T any](ctx context.Context, c *Client, path string, version int64, body any) (v T, newer int64, err error) {
	return call[T](ctx, c, http.MethodPut, path, nil, body, conditionFor(version))
}

// Patch changes a part of the version that was seen.
func Patch[T any](ctx context.Context, c *Client, path string, version int64, body any) (v T, newer int64, err error) {
	return call[T](ctx, c, http.MethodPatch, path, nil, body, conditionFor(version))
}

// Remove removes the version that was seen, and says why.
func Remove(ctx context.Context, c *Client, path string, version int64, reason string) error {
	var q url.Values
	if reason != "" {
		q = url.Values{"reason": {reason}}
	}
	_, _, err := call[struct{}](ctx, c, http.MethodDelete, path, q, nil, conditionFor(version))
	return err
}

// Delete removes the version that was seen.
func Delete(ctx context.Context, c *Client, path string, version int64) error {
	_, _, err := call[struct{}](ctx, c, http.MethodDelete, path, nil, nil, conditionFor(version))
	return err
}

func conditionFor(version int64) http.Header {
	switch version {
	case continuity.VersionNew:
		return http.Header{"If-None-Match": {"*"}}
	case continuity.VersionAny:
		return http.Header{"If-Match": {"*"}}
	}
	return http.Header{"If-Match": {`"` + strconv.FormatInt(version, 10) + `"`}}
}

// List reads a list to its end, or until most items; 0: all.
func List[T any](ctx context.Context, c *Client, path string, query url.Values, most int) ([]T, error) {
	q := url.Values{}
	for name, values := range query {
		q[name] = values
	}
	all := []T{}
	for {
		limit := 1000
		if most > 0 {
			limit = min(limit, most-len(all))
		}
		q.Set("limit", strconv.Itoa(limit))
		page, _, err := Get[Page[T]](ctx, c, path, q)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == "" || most > 0 && len(all) >= most {
			return all, nil
		}
		q.Set("cursor", page.Next)
	}
}

// Open asks for an answer of any kind, which the caller reads and closes.
func (c *Client) Open(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	resp, err := c.do(ctx, http.MethodGet, path, query, nil, nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Follow calls see for each event after a number, or from now on where that is
// negative, until ctx is done or see fails. A connection that breaks is made anew.
func (c *Client) Follow(ctx context.Context, after int64, query url.Values, see func(EventHead) error) error {
	seen := ""
	if after >= 0 {
		seen = strconv.FormatInt(after, 10)
	}
	for tries := 0; ; tries++ {
		began := seen
		err := c.follow(ctx, &seen, query, see)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if seen != began {
			tries = 0
		}
		var stop stopped
		switch {
		case errors.As(err, &stop):
			return stop.error
		case continuity.CodeOf(err) != continuity.CodeUnreachable, seen == "" && tries == 0, tries > 30:
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// stopped is an error of who looks, not of the connection.
type stopped struct{ error }

func (c *Client) follow(ctx context.Context, seen *string, query url.Values, see func(EventHead) error) error {
	headers := http.Header{}
	if *seen != "" {
		headers.Set("Last-Event-ID", *seen)
	}
	resp, err := c.do(ctx, http.MethodGet, "/stream", query, nil, headers)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	in := bufio.NewScanner(resp.Body)
	in.Buffer(nil, 1<<20)
	id := ""
	for in.Scan() {
		switch line := in.Text(); {
		case strings.HasPrefix(line, "id: "):
			id = line[len("id: "):]
		case strings.HasPrefix(line, "data: "):
			var e EventHead
			if err := json.Unmarshal([]byte(line[len("data: "):]), &e); err != nil {
				return stopped{err}
			}
			if err := see(e); err != nil {
				return stopped{err}
			}
		case line == "" && id != "":
			*seen = id
		}
	}
	return c.unreachable(errors.Join(io.ErrUnexpectedEOF, in.Err()))
}

func (c *Client) unreachable(err error) error {
	return continuity.E(continuity.CodeUnreachable, err, "address", c.base, "control", true)
}

func call[T any](ctx context.Context, c *Client, method, path string, query url.Values, body any, headers http.Header) (v T, version int64, err error) {
	var raw []byte
	if body != nil {
		if raw, err = json.Marshal(body); err != nil {
			return v, 0, err
		}
	}
	if _, bounded := ctx.Deadline(); !bounded { // who asks for what takes long sets their own
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, requestTime+5*time.Second)
		defer cancel()
	}
	resp, err := c.do(ctx, method, path, query, raw, headers)
	if err != nil {
		return v, 0, err
	}
	defer resp.Body.Close()
	version, _ = strconv.ParseInt(strings.Trim(resp.Header.Get("ETag"), `"`), 10, 64) // 0 where there is none
	if resp.StatusCode == http.StatusNoContent {
		return v, version, nil
	}
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		return v, 0, c.unreachable(err)
	}
	return v, version, nil
}

func (c *Client) do(ctx context.Context, method, path string, query url.Values, body []byte, headers http.Header) (*http.Response, error) {
	target := c.base + "/api/v1" + path
	if q := filled(query); len(q) > 0 {
		target += "?" + q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, c.unreachable(err)
	}
	for name, values := range headers {
		req.Header[name] = values
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept-Language", string(c.lang))
	if c.person != "" {
		req.Header.Set(PersonHeader, url.PathEscape(c.person))
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	var f failure
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&f); err != nil || f.Code == "" {
		return nil, c.unreachable(errors.Join(fmt.Errorf("status %d", resp.StatusCode), err))
	}
	return nil, withFields(&continuity.Error{Code: f.Code, Args: f.Args}, f.Errors)
}

// filled leaves out what is empty.
func filled(query url.Values) url.Values {
	q := url.Values{}
	for name, values := range query {
		if len(values) > 0 && values[0] != "" {
			q[name] = values
		}
	}
	return q
}
