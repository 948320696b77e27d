package wecom

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1" // #nosec G505 -- what WeCom signs with
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/notify"
	"holdfast/internal/notify/httpsend"
)

const (
	mostReply = 1000             // characters that are kept of an answer
	mostAge   = 10 * time.Minute // of a callback; WeCom tries three times within seconds
	block     = 32               // what the padding fills up to
)

var errNotWeCom = errors.New("wecom: the callback is not signed or encrypted as agreed")

// Receive implements notify.Receiver. A GET is the proof, asked for once, that the
// address is the app's.
func (a *app) Receive(r *http.Request, body []byte) (notify.Answer, []notify.Event, error) {
	query := r.URL.Query()
	sealed := query.Get("echostr")
	if r.Method != http.MethodGet {
		var envelope struct {
			Encrypt string `xml:"Encrypt"`
		}
		if err := xml.Unmarshal(body, &envelope); err != nil {
			return notify.Answer{}, nil, errNotWeCom
		}
		sealed = envelope.Encrypt
	}
	plain, err := a.unseal(query.Get("msg_signature"), query.Get("timestamp"), query.Get("nonce"), sealed)
	if err != nil {
		return notify.Answer{}, nil, err
	}
	if r.Method == http.MethodGet {
		return notify.Answer{Type: "text/plain", Body: plain}, nil, nil
	}
	var said struct {
		From    string `xml:"FromUserName"`
		Created int64  `xml:"CreateTime"`
		Type    string `xml:"MsgType"`
		Text    string `xml:"Content"`
	}
	if err := xml.Unmarshal(plain, &said); err != nil || said.Type != "text" || strings.TrimSpace(said.Text) == "" {
		return notify.Answer{}, nil, nil // pictures, menus: nothing that is waited for
	}
	return notify.Answer{}, []notify.Event{{
		Kind: notify.EventReply, From: said.From, At: time.Unix(said.Created, 0).UTC(),
		Text: httpsend.Cut(httpsend.Plain(said.Text), mostReply, httpsend.Runes),
	}}, nil
}

// unseal looks at the signature first, and decrypts only what bears it.
func (a *app) unseal(signature, timestamp, nonce, sealed string) ([]byte, error) {
	if a.Callback == nil || sealed == "" {
		return nil, errNotWeCom
	}
	token, err := httpsend.Secret(a.tools, a.Callback.Token)
	if err != nil {
		return nil, err
	}
	text, err := httpsend.Secret(a.tools, a.Callback.Key)
	if err != nil {
		return nil, err
	}
	parts := []string{token, timestamp, nonce, sealed}
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, ""))) // #nosec G401 -- as above
	if subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(signature)) != 1 {
		return nil, errNotWeCom
	}
	at, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || a.tools.Now().Sub(time.Unix(at, 0)).Abs() > mostAge {
		return nil, errNotWeCom
	}
	key, err := base64.RawStdEncoding.DecodeString(text) // 43 signs, two bits to spare
	if err != nil || len(key) != 32 {
		return nil, errNotWeCom
	}
	return opened(key, sealed, a.Corp)
}

// opened decrypts: 16 random bytes, the length of the text, the text, whom it is
// for, and the padding.
func opened(key []byte, sealed, corp string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(data) == 0 || len(data)%aes.BlockSize != 0 {
		return nil, errNotWeCom
	}
	ciph, err := aes.NewCipher(key)
	if err != nil {
		return nil, errNotWeCom
	}
	cipher.NewCBCDecrypter(ciph, key[:aes.BlockSize]).CryptBlocks(data, data)
	pad := int(data[len(data)-1])
	if pad < 1 || pad > block || len(data) < pad+20 {
		return nil, errNotWeCom
	}
	data = data[16 : len(data)-pad]
	length := int64(binary.BigEndian.Uint32(data))
	data = data[4:]
	if length > int64(len(data)) || string(data[length:]) != corp {
		return nil, errNotWeCom
	}
	return data[:length], nil
}
