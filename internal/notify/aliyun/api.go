package aliyun

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
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
	ID  string     `yaml:"access_key" kind:"text" required:"true" example:"LTAI5tExample"`
	Key secret.Ref `yaml:"access_secret" required:"true" example:"{secret: ALIYUN}"`
}

const timeout = 15 * time.Second

// answer is what every operation says; the others are of one of them.
type answer struct {
	Code   string
	BizID  string `json:"BizId"`
	CallID string `json:"CallId"`
}

// call has an operation done. Its parameters go by the query, as the operations'
// descriptions say.
func call(ctx context.Context, client *http.Client, tools notify.Tools, account Account, base, action, version string, with url.Values) (answer, error) {
	var a answer
	key, err := tools.Secret(account.Key)
	if err != nil {
		return a, &notify.Failure{Code: notify.FailSettings}
	}
	// A plus would be a space for some and a plus for others.
	target := "/?" + strings.ReplaceAll(with.Encode(), "+", "%20")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(base, "/")+target, http.NoBody)
	if err != nil {
		return a, &notify.Failure{Code: notify.FailSettings}
	}
	if err := signed(ctx, req, target, account.ID, key, action, version, tools.Now(), rand.Text()); err != nil {
		return a, &notify.Failure{Code: notify.FailSettings}
	}
	said, err := httpsend.Ask(client, req)
	if err != nil {
		return a, err
	}
	read := json.Unmarshal(said.Body, &a)
	switch {
	case read == nil && a.Code != "" && a.Code != "OK": // whatever its status
		return a, failure(a.Code, said, tools.Now())
	case !said.OK():
		return a, httpsend.Status(said.Status, said.Header, tools.Now())
	case a.Code != "OK":
		return a, &notify.Failure{Code: notify.FailProvider, Retry: true, Maybe: true, Status: said.Status}
	}
	return a, nil
}

func signed(ctx context.Context, req *http.Request, target, id string, key continuity.Secret, action, version string, now time.Time, nonce string) error {
	signer, err := sign.New(continuity.Sign{By: "aliyun", ID: id, Secret: key, Action: action, Version: version}, nil)
	if err != nil {
		return err
	}
	r := &sign.Request{Method: req.Method, Target: target, Host: req.URL.Host, Now: now, Nonce: nonce}
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
