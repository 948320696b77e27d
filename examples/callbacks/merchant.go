package callbacks

import (
	"crypto/rsa"
	"io"
	"net/http"
	"sync"
)

// Merchant is a shop's own system. It books a notice when its signature is the
// provider's, once; and answers as the provider wants.
type Merchant struct {
	AlipayKey    *rsa.PublicKey
	WeChatPayKey *rsa.PublicKey
	WeChatPayAES []byte
	WeChatPayV2  string // the secret
	// Slow, if not nil, is asked after a notice was booked and before it is
	// answered.
	Slow func(n Notice)

	mu     sync.Mutex
	booked map[string]Notice
	heard  map[string]int
	forged int
}

// Booked tells what a notice's effect was; false where it had none.
func (m *Merchant) Booked(id string) (Notice, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, ok := m.booked[id]
	return n, ok
}

// Heard tells how often a notice arrived with a good signature.
func (m *Merchant) Heard(id string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.heard[id]
}

// Forged tells how many requests bore no good signature.
func (m *Merchant) Forged() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.forged
}

// Effects tells how often something was booked.
func (m *Merchant) Effects() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.booked)
}

func (m *Merchant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/healthz" {
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largest))
	if err != nil {
		return // it broke off
	}
	var n Notice
	good, bad := "", ""
	switch r.URL.Path {
	case "/notify/alipay":
		good, bad = AlipayAnswer, "fail"
		n, err = readAlipay(body, m.AlipayKey)
	case "/notify/wechatpay":
		bad = `{"code":"FAIL","message":"signature"}`
		n, err = readWeChatPay(r.Header, body, m.WeChatPayKey, m.WeChatPayAES)
	case "/notify/wechatpay-v2":
		good, bad = WeChatPayV2Answer, "<xml><return_code><![CDATA[FAIL]]></return_code></xml>"
		n, err = readWeChatPayV2(body, m.WeChatPayV2)
	default:
		http.NotFound(w, r)
		return
	}
	if err != nil {
		m.mu.Lock()
		m.forged++
		m.mu.Unlock()
		w.WriteHeader(http.StatusBadRequest) // a "fail" inside a 200 would pass for delivered
		_, _ = io.WriteString(w, bad)
		return
	}
	m.book(n)
	if m.Slow != nil {
		m.Slow(n)
	}
	if good == "" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	_, _ = io.WriteString(w, good) // a provider that left asks again
}

// book books a notice once, however often it comes.
func (m *Merchant) book(n Notice) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.booked == nil {
		m.booked, m.heard = map[string]Notice{}, map[string]int{}
	}
	m.heard[n.ID]++
	if _, ok := m.booked[n.ID]; !ok {
		m.booked[n.ID] = n
	}
}
