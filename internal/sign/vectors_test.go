package sign

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"holdfast/internal/continuity"
)

func signed(t *testing.T, c continuity.Sign, r *Request) *Request {
	t.Helper()
	s, err := New(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Sign(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

// The example with fixed values in Alibaba Cloud's description of V3.
func TestAliyunsExample(t *testing.T) {
	r := signed(t, continuity.Sign{By: "aliyun", ID: "YourAccessKeyId", Secret: "YourAccessKeySecret", Action: "RunInstances", Version: "2014-05-26"}, &Request{
		Method: "POST", Host: "ecs.cn-shanghai.aliyuncs.com", Now: at(t, "2023-10-26T10:22:32Z"), Nonce: "3156853299f313e23d1673dc12e1703d",
		Target: "/?RegionId=cn-shanghai&ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd",
	})
	want := "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
	if got := r.Get("Authorization"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The example in Alibaba Cloud's description of the RPC style.
func TestAliyunRPCsExample(t *testing.T) {
	r := signed(t, continuity.Sign{By: "aliyun-rpc", ID: "testid", Secret: "testsecret"}, &Request{
		Method: "GET", Host: "ecs.aliyuncs.com", Now: at(t, "2016-02-23T12:46:24Z"), Nonce: "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf",
		Target: "/?Format=XML&Action=DescribeRegions&Version=2014-05-26",
	})
	if got := query(r.Target, "Signature"); got != "OLeaidS1JvxuMvnyHOwuJ+uX5qY=" {
		t.Errorf("got %s of %s", got, r.Target)
	}
}

// The example in Tencent Cloud's description of TC3.
func TestTencentsExample(t *testing.T) {
	r := signed(t, continuity.Sign{By: "tencent", ID: "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", Secret: "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE", Service: "cvm"}, &Request{
		Method: "POST", Host: "cvm.tencentcloudapi.com", Now: time.Unix(1551113065, 0), Target: "/",
		Header: []continuity.Field{{Name: "Content-Type", Value: "application/json; charset=utf-8"}},
		Body:   []byte(`{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`),
	})
	want := "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host, Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
	if got := r.Get("Authorization"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestStandardWebhooksLibraryAccepts(t *testing.T) {
	secret := "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	body := `{"type":"order.paid","data":{"id":7}}`
	r := signed(t, continuity.Sign{By: "webhook", Secret: continuity.Secret(secret)}, &Request{
		Method: "POST", Target: "/hooks", Now: time.Now(), Body: []byte(body), Header: []continuity.Field{{Name: "Idempotency-Key", Value: "msg_1"}},
	})
	h := http.Header{}
	for _, f := range r.Header {
		h.Set(f.Name, f.Value)
	}
	wh, err := webhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := wh.Verify([]byte(body), h); err != nil {
		t.Error(err)
	}
	if err := wh.Verify([]byte(body+" "), h); err == nil {
		t.Error("another body is accepted")
	}
	if h.Get("webhook-id") != "msg_1" {
		t.Errorf("the id is %q", h.Get("webhook-id"))
	}
}

// Their example: time stamp and secret of the robot's documentation.
func TestRobots(t *testing.T) {
	now := time.UnixMilli(1599360473123)
	r := signed(t, continuity.Sign{By: "dingtalk-robot", Secret: "SECabc"}, &Request{Method: "POST", Target: "/robot/send?access_token=x&sign=old", Now: now})
	// printf '%s' "1599360473123\nSECabc" | openssl dgst -sha256 -hmac SECabc -binary | base64
	if r.Target != "/robot/send?access_token=x&timestamp=1599360473123&sign="+escape(dingtalkVector) {
		t.Errorf("target %s", r.Target)
	}
	r = signed(t, continuity.Sign{By: "feishu-robot", Secret: "demo"}, &Request{Now: now, Body: []byte(`{"msg_type":"text","content":{"text":"a<b"},"sign":"old","n":12345678901234567890}`)})
	want := `{"content":{"text":"a<b"},"msg_type":"text","n":12345678901234567890,"sign":"` + feishuVector + `","timestamp":"1599360473"}`
	if string(r.Body) != want {
		t.Errorf("body %s", r.Body)
	}
	r = signed(t, continuity.Sign{By: "wecom-robot", Secret: "693a91f6-7xxx"}, &Request{Target: "/cgi-bin/webhook/send?key=mine&debug=1"})
	if r.Target != "/cgi-bin/webhook/send?debug=1&key=693a91f6-7xxx" {
		t.Errorf("target %s", r.Target)
	}
}

func TestGenericHMAC(t *testing.T) {
	r := signed(t, continuity.Sign{By: "hmac", ID: "app", Secret: "key", HMAC: continuity.HMACSign{
		Algorithm: "sha256", Encoding: "hex", Text: "{method}\n{path}\n{query}\n{timestamp}\n{nonce}\n{body_hash}",
		Fields: []continuity.Field{
			{Name: "X-Signature", Value: "v1={signature}"}, {Name: "X-Time", Value: "{timestamp}"}, {Name: "X-Nonce", Value: "{nonce}"}, {Name: "X-App", Value: "{id}"},
		},
	}}, &Request{Method: "PUT", Target: "/a?b=1", Now: time.Unix(7, 0), Nonce: "n", Body: []byte("{method}"), Header: []continuity.Field{{Name: "x-signature", Value: "forged"}}})
	want := "v1=" + hmacVector
	if r.Get("X-Signature") != want || r.Get("X-Time") != "7" || r.Get("X-App") != "app" || r.Get("X-Nonce") != "n" || len(r.Header) != 4 {
		t.Errorf("fields %v, want %s", r.Header, want)
	}
}

// Computed with openssl, apart from this package.
const (
	dingtalkVector = "WTmPOAnx8ZVo+xZKX7g+o52vstWy10neVWw7vKA4UbY="
	feishuVector   = "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="
	hmacVector     = "a8773bf49f1cf9e30c5d904d7dbd2b1939fc0d291433b01f56dd216b78cb7930"
)

func TestWhatCannotBeSigned(t *testing.T) {
	for by, body := range map[string]string{"feishu-robot": "no JSON", "webhook": "{}"} {
		s, _ := New(continuity.Sign{By: by, Secret: "whsec_AAAA"}, nil)
		if err := s.Sign(context.Background(), &Request{Body: []byte(body)}); err == nil {
			t.Errorf("%s signs %s without what it needs", by, body)
		}
	}
	if _, err := New(continuity.Sign{By: "nobody", Secret: "x"}, nil); continuity.CodeOf(err) != continuity.CodeConfig {
		t.Errorf("an unknown signer: %v", err)
	}
	for _, name := range Names() {
		s, err := New(continuity.Sign{By: name}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Sign(context.Background(), &Request{}); err == nil || strings.Contains(err.Error(), "nil") {
			t.Errorf("%s signs without a secret: %v", name, err)
		}
	}
}
