package callbacks

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// WeChatPay returns a provider that signs with key and encrypts with secret, 32
// bytes: JSON whose very bytes are signed, with the signature in the header.
func WeChatPay(address string, key *rsa.PrivateKey, secret []byte, limit time.Duration, again ...time.Duration) *Provider {
	return &Provider{
		URL: address, Limit: limit, Again: again,
		Enough: func(status int, _ string) bool { return status == http.StatusOK || status == http.StatusNoContent },
		Make: func(n Notice, at time.Time) ([]byte, http.Header, error) {
			box, err := sealer(secret)
			if err != nil {
				return nil, nil, err
			}
			plain, err := json.Marshal(map[string]any{
				"out_trade_no": n.Order, "description": n.Subject, "trade_state": "SUCCESS", "amount": map[string]any{"total": n.Fen, "currency": "CNY"},
			})
			if err != nil {
				return nil, nil, err
			}
			nonce := rand.Text()[:box.NonceSize()]
			sealed := box.Seal(nil, []byte(nonce), plain, []byte("transaction"))
			// Laid out as no encoder would, so that whoever writes it anew is noticed.
			body := fmt.Appendf(nil, "{ \"id\":%q,\n\t\"event_type\": \"TRANSACTION.SUCCESS\", \"summary\":\"支付成功\" ,\"resource\":{\"algorithm\":\"AEAD_AES_256_GCM\",\"associated_data\":\"transaction\",\"nonce\":%q,\"ciphertext\":%q}}\r\n",
				n.ID, nonce, base64.StdEncoding.EncodeToString(sealed))
			header := http.Header{
				"Content-Type": {"application/json"}, "Wechatpay-Serial": {"5157F09EFDC096DE15EBE81A47057A72"}, "Wechatpay-Signature-Type": {"WECHATPAY2-SHA256-RSA2048"},
				"Wechatpay-Timestamp": {strconv.FormatInt(at.Unix(), 10)}, "Wechatpay-Nonce": {rand.Text()},
			}
			sum := sha256.Sum256(wechatPayText(header, body))
			signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
			header.Set("Wechatpay-Signature", base64.StdEncoding.EncodeToString(signature))
			return body, header, err
		},
	}
}

// wechatPayText is what is signed.
func wechatPayText(header http.Header, body []byte) []byte {
	return fmt.Appendf(nil, "%s\n%s\n%s\n", header.Get("Wechatpay-Timestamp"), header.Get("Wechatpay-Nonce"), body)
}

func sealer(secret []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// readWeChatPay verifies a notice and opens what it holds.
func readWeChatPay(header http.Header, body []byte, key *rsa.PublicKey, secret []byte) (Notice, error) {
	signature, err := base64.StdEncoding.DecodeString(header.Get("Wechatpay-Signature"))
	sum := sha256.Sum256(wechatPayText(header, body))
	if err != nil || rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) != nil {
		return Notice{}, errForged
	}
	var in struct {
		ID       string `json:"id"`
		Resource struct {
			Data   string `json:"associated_data"`
			Nonce  string `json:"nonce"`
			Sealed []byte `json:"ciphertext"`
		} `json:"resource"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return Notice{}, err
	}
	box, err := sealer(secret)
	if err != nil || len(in.Resource.Nonce) != box.NonceSize() {
		return Notice{}, errForged
	}
	plain, err := box.Open(nil, []byte(in.Resource.Nonce), in.Resource.Sealed, []byte(in.Resource.Data))
	if err != nil {
		return Notice{}, errForged
	}
	var paid struct {
		Order   string `json:"out_trade_no"`
		Subject string `json:"description"`
	}
	err = json.Unmarshal(plain, &paid)
	return Notice{ID: in.ID, Order: paid.Order, Subject: paid.Subject}, err
}
