package sign

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/identity"
	"holdfast/internal/upstream"
)

// feishu adds the tenant_access_token of a Feishu or Lark (飞书) app.
type feishu struct {
	id, secret string
	next       upstream.Sender
	tokens     *tokens
}

func newFeishu(c continuity.Sign, next upstream.Sender) *feishu {
	f := &feishu{id: c.ID, secret: c.Secret.Reveal(), next: next}
	f.tokens = newTokens(f.fetch)
	return f
}

func (f *feishu) fetch(ctx context.Context) (string, time.Duration, error) {
	return issue{
		signer: "feishu", method: "POST", target: "/open-apis/auth/v3/tenant_access_token/internal",
		body:  `{"app_id":` + quote(f.id) + `,"app_secret":` + quote(f.secret) + `}`,
		token: "/tenant_access_token", lives: "/expire", codes: []string{"/code"}, transient: []string{"99991400"},
	}.ask(ctx, f.next, hostOf(ctx))
}

func (*feishu) bodiless() {}

// Sign implements Signer.
func (f *feishu) Sign(ctx context.Context, r *Request) error {
	token, err := f.tokens.get(withHost(ctx, r.Host))
	r.Set("Authorization", "Bearer "+token)
	return err
}

// Refused implements refresher: the token is missing, invalid or expired.
func (f *feishu) Refused(r *Request, _ int, body []byte) bool {
	if !code(body, []string{"/code"}, "99991661", "99991663", "99991664", "99991665") {
		return false
	}
	f.tokens.drop(strings.TrimPrefix(r.Get("Authorization"), "Bearer "))
	return true
}

// feishuRobot signs for a robot (自定义机器人) with a signature check: time stamp
// and HMAC in the JSON body.
type feishuRobot struct{ secret continuity.Secret }

// Sign implements Signer.
func (f feishuRobot) Sign(_ context.Context, r *Request) error {
	if _, err := identity.JSON(r.Body); err != nil {
		return unusable("feishu-robot", "the body is not strict JSON")
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(r.Body, &fields) != nil || fields == nil {
		return unusable("feishu-robot", "the body is no JSON object")
	}
	stamp := strconv.FormatInt(r.Now.Unix(), 10)
	// The time stamp and the secret are the key; nothing is what is signed.
	fields["timestamp"] = json.RawMessage(quote(stamp))
	fields["sign"] = json.RawMessage(quote(base64Of(sha256HMAC([]byte(stamp+"\n"+f.secret.Reveal()), ""))))
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(fields); err != nil {
		return unusable("feishu-robot", "the body can't be written again")
	}
	r.Body = bytes.TrimSuffix(body.Bytes(), []byte("\n"))
	return nil
}
