package sign

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"holdfast/internal/continuity"
	"holdfast/internal/upstream"
)

// standardWebhook signs as Standard Webhooks says; the Idempotency-Key, which
// every attempt carries alike, is the webhook's id.
type standardWebhook struct{ secret continuity.Secret }

var errWebhookSecret = errors.New("sign: a webhook's secret is base64, after whsec_")

// Sign implements Signer.
func (w standardWebhook) Sign(_ context.Context, r *Request) error {
	id := r.Get("Idempotency-Key")
	if id == "" || strings.ContainsAny(id, ".") {
		return unusable("webhook", "no Idempotency-Key, or one with a full stop")
	}
	signature, err := WebhookSignature(w.secret, id, r.Now.Unix(), r.Body)
	if err != nil {
		return err
	}
	r.Set("webhook-id", id)
	r.Set("webhook-timestamp", strconv.FormatInt(r.Now.Unix(), 10))
	r.Set("webhook-signature", signature)
	return nil
}

// WebhookSignature is the value of webhook-signature.
func WebhookSignature(secret continuity.Secret, id string, at int64, body []byte) (string, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret.Reveal(), "whsec_"))
	if err != nil || len(key) == 0 {
		return "", fmt.Errorf("%w: %w", upstream.ErrCredentials, errWebhookSecret)
	}
	return "v1," + base64Of(sha256HMAC(key, id+"."+strconv.FormatInt(at, 10)+"."+string(body))), nil
}
