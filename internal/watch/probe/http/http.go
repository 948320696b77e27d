// Package http looks at web addresses: status, a field of the head, the body by
// patterns or a JSON pointer, how long it took, how long the certificate lasts.
//
// Thousands of addresses are looked at by two shared clients. Connections wait
// for the next look, which is what makes it cheap; but every sixth look, and
// each after one that was not up, makes a new one, or a server that answers old
// connections and accepts no new one would look well.
package http

import (
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

// New reads Target (a URL), Method, Headers, Body, Auth (the field
// Authorization), and all of Expect but the answers of other kinds.
func New(spec probe.Spec, tools *probe.Tools) (probe.Probe, error) {
	target, err := url.Parse(spec.Target)
	if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		return nil, fmt.Errorf("watch: check %s: no web address", spec.ID)
	}
	if target.User != nil {
		return nil, fmt.Errorf("watch: check %s: a secret stands in the address", spec.ID)
	}
	method := spec.Method
	if method == "" {
		method = http.MethodGet
	}
	request, err := http.NewRequest(method, target.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("watch: check %s: %w", spec.ID, err)
	}
	request.Header.Set("User-Agent", "holdfast")
	for name, value := range spec.Headers {
		if strings.EqualFold(name, "Host") {
			request.Host = value
		} else {
			request.Header.Set(name, value)
		}
	}
	p := &web{spec: spec, request: request, tools: tools}
	if spec.Expect.JSON != "" {
		if p.pointer, err = jsonpointer.Parse(spec.Expect.JSON); err != nil {
			return nil, err
		}
	}
	if len(p.spec.Expect.Status) == 0 {
		p.spec.Expect.Status = []probe.StatusRange{{First: 200, Last: 299}}
	}
	return probe.Make(spec, tools, p.look), nil
}

type web struct {
	spec    probe.Spec
	request *http.Request // copied for each look; its head is not changed
	pointer []string
	tools   *probe.Tools
	looks   atomic.Uint32
	unwell  atomic.Bool
}

func (p *web) look(ctx context.Context) probe.Outcome {
	client := p.tools.Web.Kept
	if p.looks.Add(1)%freshEvery == 1 || p.unwell.Load() {
		client = p.tools.Web.Fresh
	}
	o := p.ask(ctx, client)
	p.unwell.Store(o.State != "")
	return o
}

func (p *web) ask(ctx context.Context, client *http.Client) probe.Outcome {
	request := p.request.WithContext(ctx)
	if p.spec.Auth != nil || len(p.tools.MarkKey) > 0 {
		request.Header = request.Header.Clone()
	}
	if p.spec.Body != "" {
		request.Body = io.NopCloser(strings.NewReader(p.spec.Body))
		request.ContentLength = int64(len(p.spec.Body))
		request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(p.spec.Body)), nil }
	}
	if p.spec.Auth != nil {
		secret, err := p.spec.Auth()
		if err != nil {
			return probe.Unknown("watch.no-secret")
		}
		request.Header.Set("Authorization", secret)
	}
	if len(p.tools.MarkKey) > 0 {
		p.tools.Mark(request, p.spec.ID)
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
	e := &p.spec.Expect
	if !slices.ContainsFunc(e.Status, func(r probe.StatusRange) bool {
		return r.First <= response.StatusCode && response.StatusCode <= r.Last
	}) {
		return probe.Down("watch.status", "status", response.StatusCode)
	}
	if e.Header != "" {
		values := response.Header.Values(e.Header)
		if len(values) == 0 || e.HeaderIs != nil && !slices.ContainsFunc(values, e.HeaderIs.MatchString) {
			return probe.Down("watch.header", "header", e.Header)
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
	e := &p.spec.Expect
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
