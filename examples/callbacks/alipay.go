package callbacks

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

var errForged = errors.New("callbacks: the signature is not the provider's")

// AlipayAnswer is all that Alipay wants to hear: seven bytes.
const AlipayAnswer = "success"

// Alipay returns a provider that signs with key: a form with the fields sorted
// and signed by RSA with SHA-256.
func Alipay(address string, key *rsa.PrivateKey, limit time.Duration, again ...time.Duration) *Provider {
	return &Provider{
		URL: address, Limit: limit, Again: again,
		Enough: func(_ int, body string) bool { return body == AlipayAnswer },
		Make: func(n Notice, at time.Time) ([]byte, http.Header, error) {
			form := url.Values{
				"notify_id": {n.ID}, "notify_time": {at.Format("2006-01-02 15:04:05.000")}, "notify_type": {"trade_status_sync"}, "charset": {"utf-8"},
				"app_id": {"2021000100000001"}, "buyer_id": {"2088102122458832"}, "trade_no": {"2026112222001458831234567890"},
				"out_trade_no": {n.Order}, "subject": {n.Subject}, "total_amount": {fmt.Sprintf("%d.%02d", n.Fen/100, n.Fen%100)}, "trade_status": {"TRADE_SUCCESS"},
			}
			sum := sha256.Sum256([]byte(alipayText(form)))
			signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
			if err != nil {
				return nil, nil, err
			}
			form.Set("sign", base64.StdEncoding.EncodeToString(signature))
			form.Set("sign_type", "RSA2")
			return []byte(form.Encode()), http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}, nil
		},
	}
}

// alipayText is what is signed.
func alipayText(form url.Values) string {
	var parts []string
	for name, values := range form {
		if name != "sign" && name != "sign_type" && values[0] != "" {
			parts = append(parts, name+"="+values[0])
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, "&")
}

// readAlipay verifies a notice.
func readAlipay(body []byte, key *rsa.PublicKey) (Notice, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return Notice{}, err
	}
	signature, err := base64.StdEncoding.DecodeString(form.Get("sign"))
	sum := sha256.Sum256([]byte(alipayText(form)))
	if err != nil || rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) != nil {
		return Notice{}, errForged
	}
	return Notice{ID: form.Get("notify_id"), Order: form.Get("out_trade_no"), Subject: form.Get("subject")}, nil
}
