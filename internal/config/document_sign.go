package config

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/sign"
	"holdfast/internal/yamldoc"
)

type rewriteBlock struct {
	block
	Host   value[string] `yaml:"host" kind:"authority" example:"qyapi.weixin.qq.com"`
	Strip  value[string] `yaml:"strip" kind:"prefix" example:"/wecom"`
	Prefix value[string] `yaml:"prefix" kind:"prefix" example:"/base"`
}

func (b *rewriteBlock) build() *continuity.Rewrite {
	if !b.Set {
		return nil
	}
	return &continuity.Rewrite{Host: b.Host.V, Strip: b.Strip.V, Prefix: b.Prefix.V}
}

type signBlock struct {
	block
	By      value[string]  `yaml:"by" kind:"word" of:"aliyun,aliyun-rpc,dingtalk,dingtalk-robot,feishu,feishu-robot,hmac,tencent,webhook,wecom,wecom-robot" required:"true" example:"wecom"`
	ID      value[string]  `yaml:"id" kind:"text" example:"ww0123456789abcdef"`
	Secret  fileOrEnvBlock `yaml:"secret" required:"true"`
	Service value[string]  `yaml:"service" kind:"text" example:"sms"`
	Region  value[string]  `yaml:"region" kind:"text" example:"ap-guangzhou"`
	Action  value[string]  `yaml:"action" kind:"text" example:"SendSms"`
	Version value[string]  `yaml:"version" kind:"text" example:"2021-01-11"`
	HMAC    signHMACBlock  `yaml:"hmac"`
}

type signHMACBlock struct {
	block
	Algorithm value[string] `yaml:"algorithm" kind:"word" of:"sha1,sha256,sha512" default:"sha256"`
	Encoding  value[string] `yaml:"encoding" kind:"word" of:"hex,HEX,base64,base64url" default:"hex"`
	Text      value[string] `yaml:"text" kind:"text" required:"true" example:"'{timestamp}.{body}'"`
	Headers   headerMap     `yaml:"headers" kind:"text" required:"true" example:"{X-Signature: '{signature}'}"`
}

func (b *signBlock) build() *continuity.Sign {
	if !b.Set {
		return nil
	}
	return &continuity.Sign{
		By: b.By.V, ID: b.ID.V, Service: b.Service.V, Region: b.Region.V, Action: b.Action.V, Version: b.Version.V,
		HMAC: continuity.HMACSign{
			Algorithm: b.HMAC.Algorithm.V, Encoding: b.HMAC.Encoding.V, Text: b.HMAC.Text.V, Fields: b.HMAC.Headers.Items,
		},
	}
}

// signerFields are the fields that a signer reads, those that it needs with a
// plus sign.
var signerFields = map[string][]string{
	"wecom": {"+id"}, "wecom-robot": nil, "dingtalk": {"+id"}, "dingtalk-robot": nil, "feishu": {"+id"}, "feishu-robot": nil,
	"aliyun": {"+id", "action", "version"}, "aliyun-rpc": {"+id", "action", "version"},
	"tencent": {"+id", "service", "region", "action", "version"}, "webhook": nil, "hmac": {"id", "+hmac"},
}

func checkSign(f *findings, r *routeBlock) {
	b := &r.Sign
	if !b.Set {
		return
	}
	checkSecret(f, &b.Secret, "sign.secret")
	reads, known := signerFields[b.By.V]
	if !known {
		return
	}
	for _, field := range []struct {
		name string
		set  bool
		at   place
	}{
		{"id", b.ID.Set, b.ID.At}, {"service", b.Service.Set, b.Service.At}, {"region", b.Region.Set, b.Region.At},
		{"action", b.Action.Set, b.Action.At}, {"version", b.Version.Set, b.Version.At}, {"hmac", b.HMAC.Set, b.HMAC.At},
	} {
		switch {
		case field.set && !slices.Contains(reads, field.name) && !slices.Contains(reads, "+"+field.name):
			f.Warning(field.at, "config.sign-no-effect", "field", field.name, "by", b.By.V)
		case !field.set && slices.Contains(reads, "+"+field.name):
			f.Error(b.By.At, "config.sign-needs", "field", "sign."+field.name, "by", b.By.V)
		}
	}
	if b.HMAC.Set {
		checkSignHMAC(f, &b.HMAC)
	}
}

func checkSignHMAC(f *findings, b *signHMACBlock) {
	known := func(text string, at place, also ...string) {
		for _, name := range placeholder.FindAllString(text, -1) {
			if !slices.Contains(sign.Placeholders, name) && !slices.Contains(also, name) {
				f.Error(at, "config.sign-name", "value", name, "words", append(slices.Clone(sign.Placeholders), also...))
			}
		}
	}
	known(b.Text.V, b.Text.At)
	borne := false
	for i, h := range b.Headers.Items {
		known(h.Value, b.Headers.Ats[i], "{signature}")
		borne = borne || strings.Contains(h.Value, "{signature}")
		if strings.Contains(h.Value, "{body}") {
			f.Error(b.Headers.Ats[i], "config.sign-body")
		}
	}
	if !borne && b.Headers.Set {
		f.Error(b.Headers.At, "config.sign-unborne")
	}
}

// checkSecret wants one place to read a secret from.
func checkSecret(f *findings, b *fileOrEnvBlock, field string) {
	if b.Set && b.File.Set == b.Env.Set && !f.ReportedOn(b.At.Line) {
		f.Error(b.At, "config.token-form", "field", field)
	}
}

type webhookBlock struct {
	block
	URL     value[string]        `yaml:"url" kind:"url" required:"true" example:"https://client.example/hooks/holdfast"`
	Secret  fileOrEnvBlock       `yaml:"secret" required:"true"`
	States  list[string]         `yaml:"states" kind:"word" of:"delivered,refused,dead,discarded" example:"[refused, dead]"`
	Timeout value[time.Duration] `yaml:"timeout" kind:"duration" default:"20s"`
}

func (b *webhookBlock) build() *continuity.Webhook {
	if !b.Set {
		return nil
	}
	out := &continuity.Webhook{URL: b.URL.V, Timeout: b.Timeout.V}
	for _, s := range continuity.States() {
		if s.Ended() && (!b.States.Set || slices.Contains(b.States.Values(), s.String())) {
			out.States = append(out.States, s)
		}
	}
	return out
}

func checkWebhook(f *findings, b *webhookBlock) {
	if !b.Set {
		return
	}
	checkSecret(f, &b.Secret, "receipt.webhook.secret")
	if t := b.Timeout.V; t > 0 && (t < 15*time.Second || t > 30*time.Second) {
		f.Error(b.Timeout.At, "config.webhook-timeout", "value", b.Timeout.Text)
	}
}

// outboundSecrets reads what signs. What is wrong with it is a warning: a relay
// that did not start would pass and keep nothing at all.
func outboundSecrets(f *findings, r *routeBlock, dir string, out *continuity.Route) {
	if r.Sign.Set && out.Sign != nil && (r.Sign.Secret.File.Set || r.Sign.Secret.Env.Set) {
		text, ok := secretText(f, "sign.secret", r.Sign.Secret.File, r.Sign.Secret.Env, dir)
		if out.Sign.Secret = continuity.Secret(text); !ok {
			f.Warning(r.Sign.At, "config.sign-off", "id", r.ID.V)
		}
	}
	if w := &r.Receipt.Webhook; w.Set && out.Webhook != nil && (w.Secret.File.Set || w.Secret.Env.Set) {
		text, ok := secretText(f, "receipt.webhook.secret", w.Secret.File, w.Secret.Env, dir)
		if out.Webhook.Secret = continuity.Secret(text); !ok {
			f.Warning(w.At, "config.webhook-off", "id", r.ID.V)
		}
	}
}

func parseAuthority(text string, _ reflect.StructTag) (any, *fault) {
	if validAddress(text, false) || hostForm.MatchString(text) {
		return text, nil
	}
	return nil, yamldoc.Wrong("config.authority")
}

func parsePrefix(text string, _ reflect.StructTag) (any, *fault) {
	if !strings.HasPrefix(text, "/") || strings.HasSuffix(text, "/") || strings.ContainsAny(text, "?#* ") {
		return nil, yamldoc.Wrong("config.prefix", "near", "/"+strings.Trim(text, "/*?# "))
	}
	return text, nil
}
