package wecom

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/httpsend"
)

// early is how long before its end a token is exchanged.
const early = 5 * time.Minute

// access is a token, and whose turn it is to ask for one.
type access struct {
	turn   chan struct{}
	token  string
	secret string // that it was issued for
	until  time.Time
}

// token is one that is still good: neither over nor the one that was refused. WeCom
// bounds how often it may be asked for.
func (a *app) token(ctx context.Context, refused string) (string, error) {
	secret, err := httpsend.Secret(a.tools, a.Secret)
	if err != nil {
		return "", err
	}
	select {
	case a.access.turn <- struct{}{}:
		defer func() { <-a.access.turn }()
	case <-ctx.Done():
		return "", httpsend.Failed(ctx.Err(), false)
	}
	held := &a.access
	if held.token != "" && held.token != refused && held.secret == secret && a.tools.Now().Before(held.until) {
		return held.token, nil
	}
	ask := url.Values{"corpid": {a.Corp}, "corpsecret": {secret}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.API+"/cgi-bin/gettoken?"+ask.Encode(), http.NoBody)
	if err != nil {
		return "", &notify.Failure{Code: notify.FailSettings}
	}
	answer, err := httpsend.Ask(a.client, req)
	if err != nil {
		return "", unsent(notify.FailureOf(err))
	}
	said, failure := read(answer, a.tools.Now())
	switch {
	case failure != nil:
		return "", unsent(failure)
	case said.Token == "":
		return "", unsent(answer.Strange())
	}
	lives := time.Duration(said.Expires) * time.Second
	held.token, held.secret, held.until = said.Token, secret, a.tools.Now().Add(max(lives-early, lives/2))
	return held.token, nil
}

// unsent is a failure before any message was on its way.
func unsent(f *notify.Failure) *notify.Failure {
	f.Maybe = false
	if f.Code == notify.FailUncertain {
		f.Code = notify.FailUnreachable
	}
	return f
}
