// Package http looks at web addresses: status, a field of the head, the body by
// patterns or a JSON pointer, how long it took, how long the certificate lasts.
//
// Thousands of addresses are looked at. Connections wait for the next look,
// which is what makes it cheap; but every sixth look, and each after one that was
// not up, makes a new one, or a server that answers old connections and accepts no
// new one would look well. What may not be asked twice gets a new one always, as a
// connection that waited may be ended just when it is used.
//
// Requests go over a small HTTP/1.1 of its own, since a connection that waits in
// net/http costs two goroutines and their buffers. Who sends on to another path,
// or speaks HTTP/2 only, is asked by net/http from then on.
package http

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"holdfast/internal/jsonpointer"
	"holdfast/internal/watch/probe"
)

// freshEvery is how often a look makes a new connection.
const freshEvery = 6

// New reads Target (a URL), Method, Headers, Hidden, Body, Auth (the field
// Authorization), and all of Expect but the answers of other kinds.
func New(spec probe.Spec, tools *probe.Tools) (probe.Probe, error) {
	target, err := url.Parse(spec.Target)
	if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		return nil, fmt.Errorf("watch: check %s: no web address", spec.ID)
	}
	if target.User != nil {
		return nil, fmt.Errorf("watch: check %s: a secret stands in the address", spec.ID)
	}
	p := &web{
		id: spec.ID, target: spec.Target, method: cmp.Or(spec.Method, http.MethodGet), headers: spec.Headers, hidden: spec.Hidden, body: spec.Body, auth: spec.Auth,
		expect: spec.Expect, tools: tools,
	}
	if spec.Expect.JSON != "" {
		if p.pointer, err = jsonpointer.Parse(spec.Expect.JSON); err != nil {
			return nil, err
		}
	}
	if len(p.expect.Status) == 0 {
		p.expect.Status = fine
	}
	p.to = target.Scheme + "://" + addressOf(target)
	p.secure = target.Scheme == "https"
	p.safe = p.method == http.MethodGet || p.method == http.MethodHead
	p.keeps = spec.Every <= keepWithin
	if p.constant() {
		made, err := p.make(context.Background())
		if err != nil {
			return nil, fmt.Errorf("watch: check %s: %w", spec.ID, err)
		}
		if p.plain, err = written(made); err != nil {
			return nil, fmt.Errorf("watch: check %s: %w", spec.ID, err)
		}
	}
	return probe.Make(spec, tools, p.look), nil
}

// fine are the statuses of a check that names none.
var fine = []probe.StatusRange{{First: 200, Last: 299}}

// web is one address of thousands: it keeps what a look needs, and makes the rest
// anew.
type web struct {
	id, target, method, body string
	headers                  map[string]string
	hidden                   map[string]probe.Secret
	auth                     probe.Secret
	expect                   probe.Expect
	pointer                  []string
	tools                    *probe.Tools
	looks                    atomic.Uint32
	unwell                   atomic.Bool

	plain  []byte // the request as it is sent; nil: with secrets, made for each look
	to     string // scheme and address: among the connections that wait
	secure bool
	safe   bool // may be asked twice
	keeps  bool
	asks   atomic.Bool // by the client of the standard library
}

func (p *web) look(ctx context.Context) probe.Outcome {
	fresh := p.looks.Add(1)%freshEvery == 1 || p.unwell.Load() || !p.keeps || !p.safe
	o := p.once(ctx, fresh)
	p.unwell.Store(o.State != "")
	return o
}

func (p *web) once(ctx context.Context, fresh bool) probe.Outcome {
	if !p.asks.Load() {
		o, err := p.exchange(ctx, fresh)
		if !errors.Is(err, errAsk) {
			return o
		}
		p.asks.Store(true)
		fresh = true
	}
	client := p.tools.Web.Kept
	if fresh {
		client = p.tools.Web.Fresh
	}
	return p.ask(ctx, client)
}

// constant says that each request is as the one before.
func (p *web) constant() bool {
	return p.auth == nil && len(p.hidden) == 0 && len(p.tools.MarkKey) == 0
}

// make is the request of one look.
func (p *web) make(ctx context.Context) (*http.Request, error) {
	var body io.Reader
	if p.body != "" {
		body = strings.NewReader(p.body)
	}
	request, err := http.NewRequestWithContext(ctx, p.method, p.target, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "holdfast")
	for name, value := range p.headers {
		if strings.EqualFold(name, "Host") {
			request.Host = value
		} else {
			request.Header.Set(name, value)
		}
	}
	for name, value := range p.hidden {
		secret, err := value()
		if err != nil {
			return nil, err
		}
		request.Header.Set(name, secret)
	}
	if p.auth != nil {
		secret, err := p.auth()
		if err != nil {
			return nil, err
		}
		request.Header.Set("Authorization", secret)
	}
	if len(p.tools.MarkKey) > 0 {
		p.tools.Mark(request, p.id)
	}
	return request, nil
}

func (p *web) ask(ctx context.Context, client *http.Client) probe.Outcome {
	request, err := p.make(ctx)
	if err != nil {
		return probe.NoSecret(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return probe.Failed(err)
	}
	defer func() { _ = response.Body.Close() }()
	o := p.judge(response)
	o.CertExpires = probe.Expiry(response.TLS)
	return o
}

func (p *web) judge(response *http.Response) probe.Outcome {
	e := &p.expect
	if !p.expected(response.StatusCode) {
		return probe.Down("watch.status", "status", response.StatusCode)
	}
	for name, is := range e.Headers {
		values := response.Header.Values(name)
		if len(values) == 0 || is != nil && !slices.ContainsFunc(values, is.MatchString) {
			return probe.Down("watch.header", "header", name)
		}
	}
	if e.Body == nil && e.Not == nil && e.JSON == "" {
		// What is short is read, so that the connection can be used again; what
		// comes slowly is part of the answer.
		if _, err := io.CopyN(io.Discard, response.Body, 64<<10); err != nil && !errors.Is(err, io.EOF) {
			return probe.Failed(err)
		}
		return probe.Outcome{}
	}
	body, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return probe.Failed(err)
	case e.Body != nil && !e.Body.Match(body):
		return probe.Down("watch.body-lacks", "pattern", e.Body.String())
	case e.Not != nil && e.Not.Match(body):
		return probe.Down("watch.body-has", "pattern", e.Not.String())
	case e.JSON != "":
		return p.judgeJSON(body)
	}
	return probe.Outcome{}
}

func (p *web) judgeJSON(body []byte) probe.Outcome {
	e := &p.expect
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return probe.Down("watch.no-json")
	}
	found, ok := Find(value, p.pointer)
	if !ok {
		return probe.Down("watch.json-lacks", "pointer", e.JSON)
	}
	o := probe.Outcome{}
	text, scalar := Scalar(found)
	number, err := strconv.ParseFloat(text, 64)
	isNumber := scalar && err == nil
	switch {
	case e.Equals != nil && (!scalar || text != *e.Equals),
		e.Value.Any() && (!isNumber || !e.Value.Within(number)):
		o = probe.Down("watch.json-value", "pointer", e.JSON)
	}
	if isNumber {
		o.Values = map[string]float64{"json": number}
	}
	return o
}
