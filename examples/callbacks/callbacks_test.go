package callbacks_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/examples/callbacks"
	"holdfast/internal/api"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/endpoint"
	"holdfast/internal/loopback"
	"holdfast/relay"
)

const (
	limit    = 5 * time.Second // of the providers
	secretV2 = "192006250b4c09247ec02edce69f6a2d"
	patience = 20 * time.Second
)

// keys are made once: it takes long.
var keys = sync.OnceValue(func() (k [3]*rsa.PrivateKey) {
	for i := range k {
		var err error
		if k[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			panic(err)
		}
	}
	return k
})

// street is a merchant behind the real relay, and the providers before it.
type street struct {
	*testing.T
	relay    *relay.Relay
	admin    *api.Client
	merchant *callbacks.Merchant
	at       string // the merchant's address
	front    string
	server   *http.Server
	aes      []byte
}

// newStreet starts the relay with the configuration of this folder, at other
// addresses and with shorter times.
func newStreet(t *testing.T) *street {
	t.Helper()
	at, err := loopback.Addresses(3)
	if err != nil {
		t.Fatal(err)
	}
	s := &street{T: t, front: at[0], at: at[1], aes: []byte(rand.Text() + rand.Text())[:32]}
	s.merchant = &callbacks.Merchant{AlipayKey: &keys()[0].PublicKey, WeChatPayKey: &keys()[1].PublicKey, WeChatPayAES: s.aes, WeChatPayV2: secretV2}
	text, err := os.ReadFile("relay.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config := strings.NewReplacer(
		"127.0.0.1:9000", at[0], "127.0.0.1:9001", at[1], "127.0.0.1:9002", at[2],
		"every: 1s, up: 2", "every: 50ms, up: 1", "attempt: 3s", "attempt: 300ms", "connect: 1s", "connect: 200ms", "settle: 10s", "settle: 1s",
		"admin:", "journal: {segment: 1MiB, size: 64MiB}\nadmin:", "hold: {", "hold: {bytes: 8MiB, ",
	).Replace(string(text))
	dir := t.TempDir()
	file := filepath.Join(dir, "relay.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if s.relay, err = relay.Open(t.Context(), relay.Options{Config: file, Listen: true, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	token, err := endpoint.ReadToken(filepath.Join(dir, "data", "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	s.admin = api.NewClient(s.relay.AdminAddr(), token, "test", catalogue.En)
	t.Cleanup(func() {
		s.down()
		if err := s.relay.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// up opens the merchant and waits until the relay has noticed.
func (s *street) up() {
	s.Helper()
	l, err := net.Listen("tcp", s.at)
	if err != nil {
		s.Fatal(err)
	}
	server := &http.Server{Handler: s.merchant, ReadHeaderTimeout: time.Second}
	s.server = server
	go func() { _ = server.Serve(l) }()
	s.until("up", func(r relay.Route) bool { return r.Health == "up" })
}

func (s *street) down() {
	if s.server != nil {
		_ = s.server.Close()
		s.server = nil
	}
}

// until waits until all routes are as they should be.
func (s *street) until(what string, ok func(relay.Route) bool) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		routes, err := s.relay.Routes(ctx)
		if err != nil {
			s.Fatal(err)
		}
		all := true
		for _, r := range routes {
			all = all && ok(r)
		}
		if all {
			return
		}
		select {
		case <-ctx.Done():
			s.Fatalf("not %s: %+v", what, routes)
		case <-tick.C:
		}
	}
}

func (s *street) drained() {
	s.Helper()
	s.until("drained", func(r relay.Route) bool { return r.Pending == 0 })
}

func (s *street) route(id string) relay.Route {
	s.Helper()
	routes, err := s.relay.Routes(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	for _, r := range routes {
		if r.ID == id {
			return r
		}
	}
	s.Fatalf("no route %s", id)
	return relay.Route{}
}

// kind is a provider and the very answer that the relay gives it.
type kind struct {
	route, body, contentType string
	status                   int
	provider                 func(s *street, genuine bool) *callbacks.Provider
}

var again = []time.Duration{10 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond}

func key(n int, genuine bool) *rsa.PrivateKey {
	if !genuine {
		n = 2
	}
	return keys()[n]
}

var kinds = []kind{
	{"alipay", "success", "text/plain", 200, func(s *street, genuine bool) *callbacks.Provider {
		return callbacks.Alipay("http://"+s.front+"/notify/alipay", key(0, genuine), limit, again...)
	}},
	{"wechatpay", "", "", 204, func(s *street, genuine bool) *callbacks.Provider {
		return callbacks.WeChatPay("http://"+s.front+"/notify/wechatpay", key(1, genuine), s.aes, limit, again...)
	}},
	{"wechatpay-v2", callbacks.WeChatPayV2Answer, "text/xml", 200, func(s *street, genuine bool) *callbacks.Provider {
		secret := secretV2
		if !genuine {
			secret = "guessed"
		}
		return callbacks.WeChatPayV2("http://"+s.front+"/notify/wechatpay-v2", secret, limit, again...)
	}},
}

func each(t *testing.T, do func(s *street, k kind, p *callbacks.Provider)) {
	for _, k := range kinds {
		t.Run(k.route, func(t *testing.T) {
			s := newStreet(t)
			do(s, k, k.provider(s, true))
		})
	}
}

func notice(id string) callbacks.Notice {
	return callbacks.Notice{ID: id, Order: "R2026-" + id, Subject: "茶 & 咖啡 = 2 + 1% <\"杯\">", Fen: 12850}
}

// wantKept wants one try, and the relay's very answer.
func (s *street) wantKept(k kind, tries []callbacks.Try) {
	s.Helper()
	last := tries[len(tries)-1]
	if len(tries) != 1 || !last.Enough || last.Status != k.status || last.Body != k.body || last.Header.Get("Content-Type") != k.contentType || last.Header.Get("Holdfast-State") != "held" {
		s.Fatalf("%d tries, the last %+v", len(tries), last)
	}
}

// wantEffect wants a notice booked, with everything that it said, after so many
// arrivals.
func (s *street) wantEffect(n callbacks.Notice, arrivals int) {
	s.Helper()
	booked, ok := s.merchant.Booked(n.ID)
	if n.Fen = booked.Fen; !ok || booked != n {
		s.Errorf("booked %v %+v, want %+v", ok, booked, n)
	}
	if got := s.merchant.Heard(n.ID); got != arrivals {
		s.Errorf("it arrived %d times, want %d", got, arrivals)
	}
}

func TestUpTheMerchantAnswersItself(t *testing.T) {
	each(t, func(s *street, k kind, p *callbacks.Provider) {
		s.up()
		tries := p.Tell(s.Context(), notice("1"))
		if len(tries) != 1 || !tries[0].Enough || tries[0].Body != k.body || tries[0].Header.Get("Holdfast-State") != "" {
			s.Fatalf("%+v", tries)
		}
		s.wantEffect(notice("1"), 1)
		if r := s.route(k.route); r.Accepted != 0 {
			s.Errorf("%d were kept", r.Accepted)
		}
	})
}

// Kept while the merchant is down, under the provider's own answer, so that it
// never asks again; delivered once, byte for byte, in the order of each order.
func TestRule8_2_DownTheProviderIsAnsweredAndTheMerchantToldLater(t *testing.T) {
	each(t, func(s *street, k kind, p *callbacks.Provider) {
		s.up()
		s.down()
		for _, id := range []string{"1", "2", "3"} {
			s.wantKept(k, p.Tell(s.Context(), notice(id)))
		}
		if r := s.route(k.route); r.Accepted != 3 || r.Pending != 3 {
			s.Fatalf("%+v", r)
		}
		s.up()
		s.drained()
		for _, id := range []string{"1", "2", "3"} {
			s.wantEffect(notice(id), 1)
		}
		if r := s.route(k.route); r.Delivered != 3 {
			s.Errorf("%+v", r)
		}
	})
}

// A merchant that books and is slow to say so: the relay answers within the
// provider's limit and repeats the notice, and the merchant books it once.
func TestRule4_3_SlowTheProviderIsAnsweredInTime(t *testing.T) {
	each(t, func(s *street, k kind, p *callbacks.Provider) {
		release, slow := make(chan struct{}), sync.Once{}
		s.merchant.Slow = func(callbacks.Notice) { slow.Do(func() { <-release }) }
		s.up()
		began := time.Now()
		tries := p.Tell(s.Context(), notice("1"))
		if took := time.Since(began); took >= limit {
			s.Errorf("answered after %v", took)
		}
		s.wantKept(k, tries)
		close(release)
		s.drained()
		s.wantEffect(notice("1"), 2)
		if s.merchant.Effects() != 1 {
			s.Errorf("%d effects", s.merchant.Effects())
		}
	})
}

// A notice that comes again, dated and signed anew, gets the very same answer
// while its record waits and after it was delivered, and goes no further.
func TestRule5_2_SentAgainItGetsTheSameAnswer(t *testing.T) {
	each(t, func(s *street, k kind, p *callbacks.Provider) {
		s.up()
		s.down()
		for range 3 {
			s.wantKept(k, p.Tell(s.Context(), notice("1")))
		}
		s.up()
		s.drained()
		for range 2 {
			s.wantKept(k, p.Tell(s.Context(), notice("1")))
		}
		s.drained()
		s.wantEffect(notice("1"), 1)
		if r := s.route(k.route); r.Accepted != 1 || r.Delivered != 1 {
			s.Errorf("%+v", r)
		}
	})
}

// The relay keeps what it can't judge; the merchant judges. Its refusal is
// shown, and counts as no delivery.
func TestRule4_3_AForgedNoticeIsRefusedAndShown(t *testing.T) {
	each(t, func(s *street, k kind, p *callbacks.Provider) {
		s.up()
		s.down()
		s.wantKept(k, k.provider(s, false).Tell(s.Context(), notice("forged")))
		s.wantKept(k, p.Tell(s.Context(), notice("1")))
		s.up()
		s.drained()
		if s.merchant.Forged() != 1 || s.merchant.Heard("forged") != 0 {
			s.Errorf("%d were forged", s.merchant.Forged())
		}
		s.wantEffect(notice("1"), 1)
		if r := s.route(k.route); r.Refused != 1 || r.Delivered != 1 {
			s.Errorf("%+v", r)
		}
		status, err := s.admin.Status(s.Context())
		if err != nil {
			s.Fatal(err)
		}
		if w := status.Warnings; len(w) != 1 || w[0].ID != "refused" || w[0].Args["route"] != k.route {
			s.Errorf("warnings %+v", w)
		}
		for deadline := time.Now().Add(patience); ; { // lists follow the journal
			page, err := s.admin.List(s.Context(), api.Query{Route: k.route, States: []continuity.State{continuity.Refused}})
			if err != nil {
				s.Fatal(err)
			}
			if len(page.Items) == 1 && page.Items[0].State == "refused" {
				return
			}
			if time.Now().After(deadline) {
				s.Fatalf("listed: %+v", page.Items)
			}
		}
	})
}

// Without a relay that answers, a provider asks again as its schedule says.
func TestProvidersAskAgain(t *testing.T) {
	each(t, func(s *street, _ kind, p *callbacks.Provider) {
		if err := s.relay.Close(context.Background()); err != nil {
			s.Fatal(err)
		}
		tries := p.Tell(s.Context(), notice("1"))
		if len(tries) != 1+len(again) || tries[0].Err == nil {
			s.Errorf("%d tries: %+v", len(tries), tries)
		}
	})
}
