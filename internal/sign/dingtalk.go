package sign

import (
	"context"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/upstream"
)

// dingtalk adds the access token of a DingTalk (钉钉) app: to a header field for
// the API with versions in its paths (api.dingtalk.com), to the query for the
// older one (oapi.dingtalk.com). Each issues tokens of its own.
type dingtalk struct {
	id, secret string
	next       upstream.Sender
	old, new   *tokens
}

const dingtalkField = "x-acs-dingtalk-access-token"

func newDingTalk(c continuity.Sign, next upstream.Sender) *dingtalk {
	d := &dingtalk{id: c.ID, secret: c.Secret.Reveal(), next: next}
	d.old, d.new = newTokens(d.fetchOld), newTokens(d.fetchNew)
	return d
}

func (d *dingtalk) fetchOld(ctx context.Context) (string, time.Duration, error) {
	return issue{
		signer: "dingtalk", method: "GET",
		target: "/gettoken?appkey=" + escape(d.id) + "&appsecret=" + escape(d.secret),
		token:  "/access_token", lives: "/expires_in", codes: errcode, transient: []string{"-1", "90018"},
	}.ask(ctx, d.next, hostOf(ctx))
}

func (d *dingtalk) fetchNew(ctx context.Context) (string, time.Duration, error) {
	return issue{
		signer: "dingtalk", method: "POST", target: "/v1.0/oauth2/accessToken",
		body:  `{"appKey":` + quote(d.id) + `,"appSecret":` + quote(d.secret) + `}`,
		token: "/accessToken", lives: "/expireIn", codes: []string{"/code"},
	}.ask(ctx, d.next, hostOf(ctx))
}

func (*dingtalk) bodiless() {}

// versioned reports whether a path begins with a version, such as /v1.0/.
func versioned(target string) bool {
	rest, ok := strings.CutPrefix(target, "/v")
	number, _, below := strings.Cut(rest, "/")
	_, err := strconv.ParseFloat(number, 32)
	return ok && below && err == nil
}

// Sign implements Signer.
func (d *dingtalk) Sign(ctx context.Context, r *Request) error {
	ctx = withHost(ctx, r.Host)
	if versioned(r.Target) {
		token, err := d.new.get(ctx)
		r.Set(dingtalkField, token)
		return err
	}
	token, err := d.old.get(ctx)
	if err == nil {
		r.Target = setQuery(r.Target, "access_token", token)
	}
	return err
}

// Refused implements refresher.
func (d *dingtalk) Refused(r *Request, _ int, body []byte) bool {
	if versioned(r.Target) {
		if !code(body, []string{"/code"}, "InvalidAuthentication") {
			return false
		}
		d.new.drop(r.Get(dingtalkField))
		return true
	}
	if !code(body, errcode, "40014", "42001", "40001") {
		return false
	}
	d.old.drop(query(r.Target, "access_token"))
	return true
}

// dingtalkRobot signs for a robot (自定义机器人) with "加签": time stamp and HMAC
// in the query.
type dingtalkRobot struct{ secret continuity.Secret }

func (dingtalkRobot) bodiless() {}

// Sign implements Signer.
func (d dingtalkRobot) Sign(_ context.Context, r *Request) error {
	stamp := strconv.FormatInt(r.Now.UnixMilli(), 10)
	signed := base64Of(sha256HMAC([]byte(d.secret.Reveal()), stamp+"\n"+d.secret.Reveal()))
	r.Target = setQuery(setQuery(r.Target, "timestamp", stamp), "sign", signed)
	return nil
}
