package sign

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"holdfast/internal/continuity"
	"holdfast/internal/upstream"
)

// makers makes signers by name. next reaches the upstream unsigned, for those
// that fetch tokens there.
var makers = map[string]func(c continuity.Sign, next upstream.Sender) Signer{
	"wecom":          func(c continuity.Sign, next upstream.Sender) Signer { return newWeCom(c, next) },
	"wecom-robot":    func(c continuity.Sign, _ upstream.Sender) Signer { return wecomRobot{c.Secret} },
	"dingtalk":       func(c continuity.Sign, next upstream.Sender) Signer { return newDingTalk(c, next) },
	"dingtalk-robot": func(c continuity.Sign, _ upstream.Sender) Signer { return dingtalkRobot{c.Secret} },
	"feishu":         func(c continuity.Sign, next upstream.Sender) Signer { return newFeishu(c, next) },
	"feishu-robot":   func(c continuity.Sign, _ upstream.Sender) Signer { return feishuRobot{c.Secret} },
	"aliyun":         func(c continuity.Sign, _ upstream.Sender) Signer { return aliyun{c} },
	"aliyun-rpc":     func(c continuity.Sign, _ upstream.Sender) Signer { return aliyunRPC{c} },
	"tencent":        func(c continuity.Sign, _ upstream.Sender) Signer { return tencent{c} },
	"webhook":        func(c continuity.Sign, _ upstream.Sender) Signer { return standardWebhook{c.Secret} },
	"hmac":           func(c continuity.Sign, _ upstream.Sender) Signer { return newHMAC(c) },
}

// Names lists the signers there are.
func Names() []string { return slices.Sorted(maps.Keys(makers)) }

// New makes a signer; next reaches the upstream unsigned. Without its secret a
// signer refuses everything.
func New(c continuity.Sign, next upstream.Sender) (Signer, error) {
	make, ok := makers[c.By]
	if !ok {
		err := fmt.Errorf("sign: no signer %q", c.By)
		return nil, continuity.E(continuity.CodeConfig, err, "detail", err.Error())
	}
	if c.Secret == "" {
		return secretless{}, nil
	}
	return make(c, next), nil
}

var errSecretless = errors.New("sign: the secret could not be read")

// secretless stands for a signer whose secret is not there.
type secretless struct{}

func (secretless) bodiless() {}

func (secretless) Sign(context.Context, *Request) error {
	return fmt.Errorf("%w: %w", upstream.ErrCredentials, errSecretless)
}
