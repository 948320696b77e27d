package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/yamldoc"
)

// load writes a file and loads it, without a problem.
func load(t *testing.T, name string) *Relay {
	t.Helper()
	src, err := os.ReadFile(filepath.Join("testdata", "good", name))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "relay.yaml")
	if err := os.WriteFile(path, src, 0o600); err != nil {
		t.Fatal(err)
	}
	relay, problems, err := Load(path)
	if err != nil || len(problems) > 0 {
		_ = yamldoc.Render(os.Stderr, catalogue.En, src, problems)
		t.Fatalf("%d problems, error %v", len(problems), err)
	}
	return relay
}

var prefixes = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

func TestLoadMapsEveryField(t *testing.T) {
	relay := load(t, "full.yaml")
	dir := filepath.Dir(relay.File)
	want := &Relay{
		File: relay.File, AdminListen: "127.0.0.1:9092",
		Listeners: []continuity.Listener{
			{Address: "127.0.0.1:9000"},
			{Address: "0.0.0.0:9443", Proxy: true, TLS: &continuity.TLS{
				Pairs: []continuity.Pair{{Certificate: filepath.Join(dir, "shop.pem"), Key: filepath.Join(dir, "shop.key")}}, Modern: true,
				Clients: continuity.ClientsAsked, ClientCA: filepath.Join(dir, "clients.pem"),
			}},
			{Address: ":9444", TLS: &continuity.TLS{ACME: &continuity.ACME{
				Directory: "https://acme.internal/directory", CA: filepath.Join(dir, "acme.pem"), Email: "ops@shop.example", Names: []string{"shop.example"},
			}}},
			{Address: ":9445", TLS: &continuity.TLS{Internal: []string{"orders.internal", "10.0.0.5"}}},
		},
		Transport: continuity.Transport{
			Trusted: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("192.0.2.7/32")}, MakeTrace: true,
		},
		TokenFile:  filepath.Join(dir, "admin.token"),
		DataDir:    filepath.Join(dir, "data"),
		JournalDir: filepath.Join(dir, "data", "journal"), MasterKeyFile: filepath.Join(dir, "keys", "master.key"),
		ViewFile: filepath.Join(dir, "data", "view.db"), SegmentBytes: 32 << 20,
		Limits: continuity.Limits{Count: 500000, Bytes: 16 << 30, LiveBytes: 128 << 20, Replies: 64 << 20},
	}
	want.Routes = []continuity.Route{{
		ID: "orders",
		Match: continuity.Match{
			Hosts: []string{"shop.example", "shop.example.cn"}, Paths: []string{"/api/orders/**"},
			Methods: []string{"POST", "PUT", "DELETE"},
		},
		Upstream: "http://127.0.0.1:9001",
		Key:      continuity.Selector{Source: continuity.SourceJSON, Name: "/order_no"},
		Identity: continuity.Identity{
			By: continuity.IdempotentKey, Remembers: 72 * time.Hour, SavesErrors: true, Fields: []string{"/order_no"},
		},
		Caller: "public",
		Hold: continuity.Hold{
			State: continuity.HoldOn, Methods: []string{"POST", "PUT"},
			Except: []continuity.Except{
				{Pointer: "/limited", In: []string{"true", "yes"}}, {Pointer: "/presale"},
			},
			ItemBytes: 512 << 10, Count: 100000, Bytes: 3 << 29, Age: 48 * time.Hour, Credentials: true, Share: 1,
		},
		Answer: &continuity.Answer{
			Status: 202, ContentType: "application/json; charset=utf-8",
			Body:   "{\"receipt\": \"{receipt}\", \"note\": \"已收到，待确认：请稍候\"}\n",
			Header: []continuity.Field{{Name: "Cache-Control", Value: "no-store"}, {Name: "X-Note", Value: "a: b"}},
			Wait:   500 * time.Millisecond,
		},
		Verdicts: continuity.Verdicts{
			Delivered: []continuity.StatusRange{{Low: 200, High: 299}, {Low: 303, High: 303}},
			Retry:     []continuity.StatusRange{{Low: 423, High: 423}},
			Refused:   []continuity.StatusRange{{Low: 410, High: 410}},
			Clean:     []continuity.StatusRange{{Low: 503, High: 503}},
			Lost:      []continuity.StatusRange{{Low: 502, High: 502}, {Low: 504, High: 505}},
		},
		Capacity: 400,
		Ramp:     continuity.Ramp{Start: 0.05, Window: time.Minute, Aggression: 1.5, InFlight: 32},
		Timeouts: continuity.Timeouts{Connect: 500 * time.Millisecond, Attempt: 5 * time.Second, Idle: 20 * time.Second},
		Settle:   15 * time.Second,
		Detect: continuity.Detect{
			Losses: 5, Within: 20 * time.Second, Path: "/healthz?deep=1", Every: 2 * time.Second, Down: 3, Up: 4, Follow: time.Minute,
		},
		Poison: continuity.Poison{Attempts: 20, Dead: true}, KeepResponse: 8 << 10,
		Reconcile: &continuity.Reconcile{
			Driver: "sqlite", DSN: filepath.Join(dir, "shop.db"), Query: "select order_no, total from orders",
			Methods: []string{"POST"}, Amount: "/total",
		},
	}}
	callbacks := &continuity.UpstreamTLS{
		CA: filepath.Join(dir, "ca.pem"), Certificate: filepath.Join(dir, "relay.pem"), Key: filepath.Join(dir, "relay.key"), Name: "orders.internal",
	}
	if r := &relay.Routes[1]; r.Upstream != "https://shop.internal:443" || *r.UpstreamTLS != *callbacks {
		t.Errorf("%s, %+v", r.Upstream, r.UpstreamTLS)
	}
	got := *relay
	got.Routes = got.Routes[:1]
	if diff := cmp.Diff(want, &got, prefixes); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLoadFillsDefaults(t *testing.T) {
	relay := load(t, "small.yaml")
	dir := filepath.Dir(relay.File)
	want := &Relay{
		File: relay.File, AdminListen: "127.0.0.1:9091",
		Listeners: []continuity.Listener{{Address: ":9000"}},
		Transport: continuity.Transport{Trusted: defaultTrusted},
		TokenFile: filepath.Join(dir, "data", "admin.token"), DataDir: filepath.Join(dir, "data"),
		JournalDir: filepath.Join(dir, "data", "journal"), MasterKeyFile: filepath.Join(dir, "data", "master.key"),
		ViewFile: filepath.Join(dir, "data", "view.db"), SegmentBytes: 64 << 20,
		Limits: continuity.Limits{Count: 1000000, Bytes: 8 << 30, LiveBytes: 256 << 20, Replies: 64 << 20},
		Routes: []continuity.Route{{
			ID: "all", Upstream: "http://127.0.0.1:9001",
			Hold: continuity.Hold{
				State: continuity.HoldObserve, Methods: []string{"POST", "PUT", "PATCH", "DELETE"},
				ItemBytes: 1 << 20, Count: 200000, Bytes: 2 << 30, Age: 24 * time.Hour, Share: 1,
			},
			Ramp:     continuity.Ramp{Start: 0.1, Window: 30 * time.Second, Aggression: 1, InFlight: 16},
			Timeouts: continuity.Timeouts{Connect: time.Second, Attempt: 10 * time.Second, Idle: 30 * time.Second},
			Settle:   10 * time.Second,
			Detect:   continuity.Detect{Losses: 3, Within: 10 * time.Second, Follow: time.Minute},
			Poison:   continuity.Poison{Attempts: 10}, KeepResponse: 4 << 10,
		}},
	}
	if diff := cmp.Diff(want, relay, prefixes); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
