package callbacks

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// WeChatPayV2Answer is what the older API wants to hear.
const WeChatPayV2Answer = "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>"

// WeChatPayV2 returns a provider of the older kind: XML, signed with a secret
// that both sides know.
func WeChatPayV2(address, secret string, limit time.Duration, again ...time.Duration) *Provider {
	return &Provider{
		URL: address, Limit: limit, Again: again,
		Enough: func(_ int, body string) bool { return body == WeChatPayV2Answer },
		Make: func(n Notice, _ time.Time) ([]byte, http.Header, error) {
			fields := map[string]string{
				"appid": "wx2421b1c4370ec43b", "mch_id": "10000100", "nonce_str": rand.Text(), "result_code": "SUCCESS", "return_code": "SUCCESS",
				"transaction_id": n.ID, "out_trade_no": n.Order, "attach": n.Subject, "total_fee": strconv.Itoa(n.Fen), "sign_type": "HMAC-SHA256",
			}
			fields["sign"] = wechatPayV2Sign(fields, secret)
			var b bytes.Buffer
			b.WriteString("<xml>\n")
			for name, value := range fields {
				if name == "total_fee" {
					fmt.Fprintf(&b, "  <%s>%s</%[1]s>\n", name, value)
					continue
				}
				fmt.Fprintf(&b, "  <%s><![CDATA[%s]]></%[1]s>\n", name, value)
			}
			b.WriteString("</xml>")
			return b.Bytes(), http.Header{"Content-Type": {"text/xml"}}, nil
		},
	}
}

func wechatPayV2Sign(fields map[string]string, secret string) string {
	var parts []string
	for name, value := range fields {
		if name != "sign" && value != "" {
			parts = append(parts, name+"="+value)
		}
	}
	slices.Sort(parts)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(strings.Join(parts, "&") + "&key=" + secret))
	return strings.ToUpper(hex.EncodeToString(mac.Sum(nil)))
}

// readWeChatPayV2 verifies a notice.
func readWeChatPayV2(body []byte, secret string) (Notice, error) {
	var in struct {
		Fields []struct {
			XMLName xml.Name
			Text    string `xml:",chardata"`
		} `xml:",any"`
	}
	if err := xml.Unmarshal(body, &in); err != nil {
		return Notice{}, err
	}
	fields := make(map[string]string, len(in.Fields))
	for _, f := range in.Fields {
		fields[f.XMLName.Local] = f.Text
	}
	if !hmac.Equal([]byte(wechatPayV2Sign(fields, secret)), []byte(fields["sign"])) {
		return Notice{}, errForged
	}
	return Notice{ID: fields["transaction_id"], Order: fields["out_trade_no"], Subject: fields["attach"]}, nil
}
