package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/problem"
)

// Client asks a relay's admin API. Its errors are *continuity.Error with the
// code that the relay gave, or CodeUnreachable.
type Client struct {
	base, token, person string
	lang                catalogue.Lang
	http                *http.Client
}

// NewClient makes a client of an address (http://host:port). person is who
// asks.
func NewClient(address, token, person string, lang catalogue.Lang) *Client {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	transport := &http.Transport{Proxy: nil, MaxIdleConns: 2, IdleConnTimeout: 10 * time.Second}
	return &Client{
		base: strings.TrimSuffix(address, "/"), token: token, person: person, lang: lang,
		http: &http.Client{
			Transport: transport,
			// The token must not follow a redirect to another place.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// ClientOf makes a client that sends by another one, which adds the token.
func ClientOf(address string, by *http.Client, person string, lang catalogue.Lang) *Client {
	return &Client{base: strings.TrimSuffix(address, "/"), person: person, lang: lang, http: by}
}

// Status asks for the relay at a glance.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return get[Status](ctx, c, "/status", nil)
}

// Drain asks how the replay of a route goes; of all, where route is empty.
func (c *Client) Drain(ctx context.Context, route string) ([]Route, error) {
	return get[[]Route](ctx, c, "/drain", url.Values{"route": {route}})
}

// List asks for one page of records.
func (c *Client) List(ctx context.Context, q Query) (Page[Record], error) {
	v := url.Values{"route": {q.Route}, "key": {q.Key}, "cursor": {q.Cursor}}
	names := make([]string, len(q.States))
	for i, s := range q.States {
		names[i] = s.String()
	}
	v.Set("state", strings.Join(names, ","))
	if q.Limit != 0 {
		v.Set("limit", fmt.Sprint(q.Limit))
	}
	return get[Page[Record]](ctx, c, "/records", v)
}

// Record asks for one record by its whole or abbreviated receipt.
func (c *Client) Record(ctx context.Context, receipt string) (Record, error) {
	return get[Record](ctx, c, "/records/"+url.PathEscape(receipt), nil)
}

// Body asks for what the customer sent, and its content type. Unless raw, card
// numbers and the like are masked.
func (c *Client) Body(ctx context.Context, receipt string, raw bool) ([]byte, string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	resp, err := c.do(ctx, http.MethodGet, "/records/"+url.PathEscape(receipt)+"/body", url.Values{"raw": {fmt.Sprint(raw)}}, nil)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, "", continuity.E(continuity.CodeUnreachable, err, "address", c.base)
	}
	return b, resp.Header.Get("Holdfast-Content-Type"), nil
}

// Act does what a person decided.
func (c *Client) Act(ctx context.Context, receipt string, a ActRequest) (ActResult, error) {
	return post[ActResult](ctx, c, "/records/"+url.PathEscape(receipt)+"/acts", a)
}

// Switch puts or lifts a standing setting and returns what stands then.
func (c *Client) Switch(ctx context.Context, s SwitchRequest) ([]Switch, error) {
	return post[[]Switch](ctx, c, "/switches", s)
}

// Reload has the relay read its configuration again.
func (c *Client) Reload(ctx context.Context) (ReloadResult, error) {
	return post[ReloadResult](ctx, c, "/reload", nil)
}

// Replace has the program in the relay's file take its place; it is on its way
// when Replace returns.
func (c *Client) Replace(ctx context.Context) error {
	_, err := post[struct{}](ctx, c, "/replace", nil)
	return err
}

const (
	reconcilePath  = "/reconcile"
	settlementPath = "/settlement"
)

// Reconcile compares a route's records with the upstream's own list, or with a
// settlement file, which it reads to its end.
func (c *Client) Reconcile(ctx context.Context, q ReconcileQuery) (Reconciliation, error) {
	if q.Statement == nil {
		return post[Reconciliation](ctx, c, reconcilePath, q)
	}
	file, err := io.ReadAll(io.LimitReader(q.Statement, maxStatement+1))
	if err != nil {
		return Reconciliation{}, err
	}
	query := url.Values{"route": {q.Route}, "day": {q.Day.Format(time.DateOnly)}}
	if q.All {
		query.Set("all", "true")
	}
	return call[Reconciliation](ctx, c, http.MethodPost, settlementPath, query, file)
}

// Report asks what would have been held.
func (c *Client) Report(ctx context.Context, route string) (Report, error) {
	return get[Report](ctx, c, "/report", url.Values{"route": {route}})
}

func get[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	return call[T](ctx, c, http.MethodGet, path, query, nil)
}

func post[T any](ctx context.Context, c *Client, path string, body any) (T, error) {
	var v T
	b, err := json.Marshal(body)
	if err != nil {
		return v, err
	}
	return call[T](ctx, c, http.MethodPost, path, nil, b)
}

// patience is how long a relay that hangs is waited for, a little longer than
// it allows itself.
const patience = requestTime + 5*time.Second

func call[T any](ctx context.Context, c *Client, method, path string, query url.Values, body []byte) (T, error) {
	var v T
	most := patience
	if path == reconcilePath || path == rotatePath || path == restorePath || path == settlementPath {
		most = reconcileTime + 5*time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	resp, err := c.do(ctx, method, path, query, body)
	if err != nil {
		return v, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		return v, continuity.E(continuity.CodeUnreachable, err, "address", c.base)
	}
	return v, nil
}

func (c *Client) do(ctx context.Context, method, path string, query url.Values, body []byte) (*http.Response, error) {
	target := c.base + "/api/v1" + path
	if len(query) > 0 {
		for name, values := range query {
			if values[0] == "" {
				query.Del(name)
			}
		}
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, continuity.E(continuity.CodeUnreachable, err, "address", c.base)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept-Language", string(c.lang))
	req.Header.Set(PersonHeader, c.person)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, continuity.E(continuity.CodeUnreachable, err, "address", c.base)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	var doc problem.Document
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&doc); err != nil || doc.Code == "" {
		err = errors.Join(fmt.Errorf("status %d", resp.StatusCode), err)
		return nil, continuity.E(continuity.CodeUnreachable, err, "address", c.base)
	}
	return nil, &continuity.Error{Code: doc.Code, Args: doc.Args}
}
