package tencent

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
	"holdfast/internal/notify/httpsend"
	"holdfast/internal/outgoing"
	"holdfast/internal/secret"
	"holdfast/internal/sign"
)

// Account is who sends.
type Account struct {
	ID  string     `yaml:"secret_id" kind:"text" required:"true" example:"AKIDExample"`
	Key secret.Ref `yaml:"secret_key" required:"true" example:"{secret: TENCENT}"`
}

const timeout = 15 * time.Second

// operation is what is to be done.
type operation struct{ service, action, version, region string }

// answer is what every operation says; the others are of one of them.
type answer struct {
	Error *struct{ Code string }
	Set   []status `json:"SendStatusSet"`
	Call  *struct {
		ID string `json:"CallId"`
	} `json:"SendStatus"`
}

type status struct {
	Serial string `json:"SerialNo"`
	Code   string
	Fee    int
}

// call has an operation done.
func call(ctx context.Context, client *http.Client, tools notify.Tools, account Account, url string, op operation, with any) (answer, *httpsend.Answer, error) {
	var a struct{ Response answer }
	key, err := tools.Secret(account.Key)
	if err != nil {
		return a.Response, nil, &notify.Failure{Code: notify.FailSettings}
	}
	body, err := json.Marshal(with)
	if err != nil {
		return a.Response, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/", bytes.NewReader(body))
	if err != nil {
		return a.Response, nil, &notify.Failure{Code: notify.FailSettings}
	}
	if err := signed(ctx, req, body, account.ID, key, op, tools.Now()); err != nil {
		return a.Response, nil, &notify.Failure{Code: notify.FailSettings}
	}
	said, err := httpsend.Ask(client, req)
	if err != nil {
		return a.Response, said, err
	}
	read := json.Unmarshal(said.Body, &a)
	switch {
	case read == nil && a.Response.Error != nil: // inside a 200
		return a.Response, said, failure(a.Response.Error.Code, said)
	case !said.OK():
		return a.Response, said, httpsend.Status(said.Status, said.Header, tools.Now())
	case read != nil:
		return a.Response, said, unclear(said)
	}
	return a.Response, said, nil
}

// unclear is an answer of success that does not say what was done.
func unclear(said *httpsend.Answer) *notify.Failure {
	return &notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true, Status: said.Status}
}

func signed(ctx context.Context, req *http.Request, body []byte, id string, key continuity.Secret, op operation, now time.Time) error {
	signer, err := sign.New(continuity.Sign{
		By: "tencent", ID: id, Secret: key, Action: op.action, Version: op.version, Region: op.region, Service: op.service,
	}, nil)
	if err != nil {
		return err
	}
	r := &sign.Request{
		Method: req.Method, Target: "/", Host: req.URL.Host, Body: body, Now: now,
		Header: []continuity.Field{{Name: "Content-Type", Value: "application/json; charset=utf-8"}},
	}
	if err := signer.Sign(ctx, r); err != nil {
		return err
	}
	for _, f := range r.Header {
		req.Header.Set(f.Name, f.Value)
	}
	return nil
}

func clientOf(tools notify.Tools) *http.Client {
	return tools.Client(outgoing.Options{Time: timeout, Body: 64 << 10})
}
