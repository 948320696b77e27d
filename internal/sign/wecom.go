package sign

import (
	"context"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/upstream"
)

// wecom adds the access_token of a WeCom (企业微信) app to the query. The token
// comes from the same host, by corp id and secret.
type wecom struct {
	id, secret string
	next       upstream.Sender
	tokens     *tokens
}

var errcode = []string{"/errcode"}

func newWeCom(c continuity.Sign, next upstream.Sender) *wecom {
	w := &wecom{id: c.ID, secret: c.Secret.Reveal(), next: next}
	w.tokens = newTokens(w.fetch)
	return w
}

type hostKey struct{}

// withHost carries the host of the request for which a token is fetched: it is
// the provider's.
func withHost(ctx context.Context, host string) context.Context {
	return context.WithValue(ctx, hostKey{}, host)
}

func hostOf(ctx context.Context) string {
	host, _ := ctx.Value(hostKey{}).(string)
	return host
}

func (w *wecom) fetch(ctx context.Context) (string, time.Duration, error) {
	return issue{
		signer: "wecom", method: "GET",
		target: "/cgi-bin/gettoken?corpid=" + escape(w.id) + "&corpsecret=" + escape(w.secret),
		token:  "/access_token", lives: "/expires_in", codes: errcode, transient: []string{"-1", "45009", "45011"},
	}.ask(ctx, w.next, hostOf(ctx))
}

func (*wecom) bodiless() {}

// Sign implements Signer.
func (w *wecom) Sign(ctx context.Context, r *Request) error {
	token, err := w.tokens.get(withHost(ctx, r.Host))
	if err == nil {
		r.Target = setQuery(r.Target, "access_token", token)
	}
	return err
}

// Refused implements refresher: the token is invalid, expired or not one.
func (w *wecom) Refused(r *Request, _ int, body []byte) bool {
	if !code(body, errcode, "40014", "42001", "40001") {
		return false
	}
	w.tokens.drop(query(r.Target, "access_token"))
	return true
}

// wecomRobot adds the key of a group robot (群机器人) to the query.
type wecomRobot struct{ key continuity.Secret }

func (wecomRobot) bodiless() {}

// Sign implements Signer.
func (w wecomRobot) Sign(_ context.Context, r *Request) error {
	r.Target = setQuery(r.Target, "key", w.key.Reveal())
	return nil
}
