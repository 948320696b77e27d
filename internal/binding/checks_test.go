package binding_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/catalogue"
	"holdfast/internal/outgoing"
	"holdfast/internal/plan"
	"holdfast/internal/secret"
	"holdfast/internal/watch/probe"
	"holdfast/internal/watch/probe/kinds"
)

// withChecks is an example plan with other checks, and private places it allows.
func withChecks(t *testing.T, allow, checks string) *plan.Plan {
	t.Helper()
	const file = "../../examples/plans/payment-outage.yaml"
	if allow != "" {
		allow = "allow: [" + allow + "]"
	}
	text := "schema: holdfast/plan-tech@1\n" + allow + "\nmeasures: {share refused: a, payments taken: b, payments asked: c}\nchecks:\n" +
		"  - {id: gateway, tcp: \"pay.example:443\", every: 10s}\n  - {id: certificate, tls: \"pay.example:443\"}\n" + checks +
		"routes:\n  - {id: payments, match: {host: shop.example, path: /api/payments/**, methods: [POST]}, upstream: https://pay.example:8443}\n" +
		"  - {id: callbacks, match: {path: /callbacks/**, methods: [POST]}, upstream: http://127.0.0.1:9002}\n"
	p, problems := plan.Parse(plan.Source{Name: file, Text: read(t, file)}, &plan.Source{Name: plan.TechName(file), Text: []byte(text)}, nil)
	if p == nil {
		for _, problem := range problems {
			t.Log(problem.Text(catalogue.En))
		}
		t.FailNow()
	}
	return p
}

func order(t *testing.T, p *plan.Plan, id string) binding.Order {
	t.Helper()
	for _, o := range binding.Orders(p) {
		if o.ID == p.ID+"/"+id {
			return o
		}
	}
	t.Fatalf("no order of %s", id)
	return binding.Order{}
}

// later names a secret in place of its value.
func later(r secret.Ref) func() (string, error) {
	return func() (string, error) { return "<" + r.String() + ">", nil }
}

// TestSpecs makes a probe of each kind of check, and has each order go to a
// probe node and back.
func TestSpecs(t *testing.T) {
	p := withChecks(t, "10.0.0.5", `
  - {id: web, http: "https://shop.example/api/payments/health?a=1", slow: 1s, method: POST, body: x, headers: {X-Key: {secret: KEY}, Accept: text/plain}, auth: {env: AUTH}, expect: {status: [2xx, 301], headers: {X-A: "^b$"}, json: /n, at_least: 2}}
  - {id: past, via: direct, http: "https://shop.example/api/payments/health?a=1"}
  - {id: name, dns: shop.example, server: "10.0.0.5:53", record: MX}
  - {id: host, icmp: 10.0.0.5}
  - {id: query, sql: select 1, dsn: {secret: DSN}, expect: {equals: "1"}}
  - {id: cache, redis: "10.0.0.5:6379", secure: true, nodes: [north, south, east], quorum: 2, down: 3, of: 5, up: 4}
  - {id: mail, smtp: "mail.example:25"}
  - {id: chat, websocket: "wss://chat.example/socket", expect: {send: ping, received: pong}}
  - {id: backup, heartbeat: 1d, grace: 1h}
`)
	guard := outgoing.New(outgoing.Policy{}, nil)
	tools := probe.NewTools("here", guard, nil, func(string) (probe.Beat, bool) { return probe.Beat{}, false })
	for _, o := range binding.Orders(p) {
		wire, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var there binding.Order
		if err := json.Unmarshal(wire, &there); err != nil || there.Fingerprint() != o.Fingerprint() {
			t.Errorf("%s: %v: another order arrives", o.ID, err)
		}
		s, err := there.Spec(later)
		if err != nil {
			t.Errorf("%s: %v", o.ID, err)
			continue
		}
		if _, err := kinds.New(s, tools); err != nil {
			t.Errorf("%s: %v", o.ID, err)
		}
	}
	if n := len(binding.Orders(p)); n != 11 {
		t.Errorf("%d orders", n)
	}

	web, _ := order(t, p, "web").Spec(later)
	key, _ := web.Hidden["X-Key"]()
	auth, _ := web.Auth()
	if key != "<secret KEY>" || auth != "<env AUTH>" || web.Headers["Accept"] != "text/plain" || len(web.Headers) != 1 {
		t.Errorf("%+v %s %s", web, key, auth)
	}
	if fmt.Sprint(web.Expect.Status) != "[{200 299} {301 301}]" || !web.Expect.Headers["X-A"].MatchString("b") || *web.Expect.Value.AtLeast != 2 {
		t.Errorf("%+v", web.Expect)
	}
	if web.Timeout != 10*time.Second || web.Expires != 14*24*time.Hour || web.Slow != time.Second || web.Target != "https://shop.example/api/payments/health?a=1" {
		t.Errorf("%+v", web)
	}
	past, _ := order(t, p, "past").Spec(later)
	if past.Target != "https://pay.example:8443/api/payments/health?a=1" || past.Headers["Host"] != "shop.example" {
		t.Errorf("past the relay: %s, %v", past.Target, past.Headers)
	}
	cache := order(t, p, "cache").Judged("here")
	if fmt.Sprint(cache.Nodes, cache.Quorum, cache.Rule) != "[north south east] 2 {3 5 4}" {
		t.Errorf("%+v", cache)
	}
	backup := order(t, p, "backup")
	spec, _ := backup.Spec(later)
	if spec.Every != 24*time.Hour || spec.Grace != time.Hour || backup.Every() != 30*time.Second || fmt.Sprint(backup.Judged("here").Nodes) != "[here]" {
		t.Errorf("%+v %+v", spec, backup.Judged("here"))
	}
}

func TestFingerprint(t *testing.T) {
	one := order(t, withChecks(t, "", ""), "gateway")
	same := order(t, withChecks(t, "", "  - {id: more, tcp: \"a.example:1\"}\n"), "gateway")
	other := order(t, withChecks(t, "10.0.0.9", ""), "gateway")
	if one.Fingerprint() != same.Fingerprint() || one.Fingerprint() == other.Fingerprint() {
		t.Errorf("%s %s %s", one.Fingerprint(), same.Fingerprint(), other.Fingerprint())
	}
}

func TestPlacesThatAreRefused(t *testing.T) {
	for _, c := range []struct{ allow, check, says string }{
		{"", `tcp: "10.0.0.5:80"`, "tech.yaml:7:18: 10.0.0.5 is a private address"},
		{`"10.0.0.5:81"`, `tcp: "10.0.0.5:80"`, "10.0.0.5 is a private address"},
		{"10.0.0.0/8", `tcp: "10.0.0.5:80"`, ""},
		{"", `http: "http://[::1]:8080/"`, "::1 is a private address"},
		{"0.0.0.0/0", `http: "http://169.254.169.254/latest"`, "169.254.169.254 is an address that nothing may connect to"},
		{"", `websocket: "http://chat.example"`, "no WebSocket address"},
		{"here and there", `tcp: "a.example:80"`, "tech.yaml:2:9: here and there names no place"},
		{"", `dns: a.example, server: "192.168.1.1:53"`, "192.168.1.1 is a private address"},
		{"", `via: direct, http: "https://any.example/callbacks/health"`, "127.0.0.1 is a private address"},
		{"", `http: "https://any.example/callbacks/health"`, ""},
	} {
		p := withChecks(t, c.allow, "  - {id: x, "+c.check+"}\n")
		var said []string
		for _, problem := range binding.Check(p) {
			said = append(said, problem.Text(catalogue.En))
		}
		if got := strings.Join(said, "\n"); c.says == "" && got != "" || !strings.Contains(got, c.says) {
			t.Errorf("%s %s: %q, not %q", c.allow, c.check, got, c.says)
		}
	}

	rules, err := outgoing.Rules("pay.example:443", "10.0.0.0/16:80")
	if err != nil {
		t.Fatal(err)
	}
	p := withChecks(t, "10.0.0.0/8", "  - {id: x, tcp: \"10.0.0.5:80\"}\n  - {id: y, tcp: \"10.1.0.5:80\"}\n  - {id: z, tcp: \"10.1.0.6:80\", nodes: [far]}\n")
	refused := binding.Refused(p, outgoing.NewPolicy(rules...))
	if len(refused) != 1 || !strings.Contains(refused[0].Text(catalogue.En), ":8:18: the node's outgoing rules let nothing out to 10.1.0.5, port 80") {
		for _, problem := range refused {
			t.Error(problem.Text(catalogue.En))
		}
	}
}

func TestAScrapesFingerprintChangesWithEveryField(t *testing.T) {
	whole := binding.Scrape{
		Job: "shop/host", Instance: "a", URL: "https://a/metrics", Every: 1, Timeout: 2, Samples: 3, Bytes: 4,
		Auth: &plan.Secret{Secret: "A"}, Trust: &plan.Trust{Name: "n", CA: "ca", Certificate: "c", Key: "k"}, Allow: []string{"10.0.0.0/8"},
	}
	first := whole.Fingerprint()
	same := whole
	if same.Allow = slices.Clone(whole.Allow); same.Fingerprint() != first {
		t.Error("the same has two fingerprints")
	}
	of := reflect.TypeFor[binding.Scrape]()
	for i := range of.NumField() {
		other := whole
		reflect.ValueOf(&other).Elem().Field(i).SetZero()
		if other.Fingerprint() == first {
			t.Errorf("%s does not count", of.Field(i).Name)
		}
	}
	trust := *whole.Trust
	trust.Key = "another"
	whole.Trust = &trust
	if whole.Fingerprint() == first {
		t.Error("the key of a certificate does not count")
	}
}
