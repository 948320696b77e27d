package config

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/continuity"
)

// holding is a route that may hold, one declaration a line.
const holding = `listen: 127.0.0.1:9000
routes:
  - id: orders
    upstream: http://127.0.0.1:9001
    key: json:/order_no
    idempotency: {by: key, remembers: 72h}
    caller: public
    answer: {status: 202}
    hold: {state: on, age: 24h}
`

// found checks holding with some lines replaced, and lists the problems' ids.
func found(replace ...string) []string {
	var ids []string
	for _, p := range Check("relay.yaml", []byte(strings.NewReplacer(replace...).Replace(holding))) {
		ids = append(ids, p.ID)
	}
	return ids
}

func wantProblems(t *testing.T, got []string, want ...string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestHoldingRouteIsSound(t *testing.T) { wantProblems(t, found()) }

func TestRule8_2_HoldNeedsADeclaredAnswer(t *testing.T) {
	wantProblems(t, found("    answer: {status: 202}\n", ""), "config.hold-needs.answer")
}

func TestHoldIsDeniedWithoutCallerKeyAndIdempotency(t *testing.T) {
	wantProblems(t, found("    caller: public\n", ""), "config.hold-needs.caller")
	wantProblems(t, found("    key: json:/order_no\n", ""), "config.hold-needs.key")
	wantProblems(t, found("    idempotency: {by: key, remembers: 72h}\n", ""), "config.hold-needs.idempotency")
	wantProblems(t, found("key: json:/order_no", "key: none")) // stated, so it is a decision
}

func TestRule4_5_WhoDecidesDoubtsIsDeclared(t *testing.T) {
	by := "{by: key, remembers: 72h}"
	wantProblems(t, found(by, "{by: none}"), "config.doubt-undecided")
	wantProblems(t, found(by, "{by: none, decides: orders-desk}"))
	wantProblems(t, found(by, "{by: natural}"))
	wantProblems(t, found(by, "{by: key}"), "config.remembers-missing")
	wantProblems(t, found(by, "{by: key, remembers: 23h}"), "config.remembers-short")
	wantProblems(t, found(by, "{by: key, remembers: 24h}"))
}

func TestRule4_4_SettleCoversAnAttempt(t *testing.T) {
	wantProblems(t, found("age: 24h}", "age: 24h}\n    settle: 9s"), "config.settle-short")
	wantProblems(t, found("age: 24h}", "age: 24h}\n    settle: 10s"))
	doc, _ := examine(&findings{}, []byte(strings.Replace(holding, "    caller", "    timeouts: {attempt: 45s}\n    caller", 1)))
	if got := build(doc, "/").Routes[0].Settle; got != 45*time.Second {
		t.Errorf("default settle %v, want the longest time-out", got)
	}
}

func TestRule3_2_ReadsAreNeverHeld(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
		wantProblems(t, found("age: 24h}", "age: 24h, methods: [POST, "+method+"]}"), "config.hold-safe")
	}
	doc, _ := examine(&findings{}, []byte(holding))
	want := []string{"POST", "PUT", "PATCH", "DELETE"}
	if diff := cmp.Diff(want, build(doc, "/").Routes[0].Hold.Methods); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestValuesKeepTheirForm reads what YAML takes for numbers, truth values and
// dates where a text is meant.
func TestValuesKeepTheirForm(t *testing.T) {
	want := []string{"no", "on", "0086", "007", "1e3", "0x10", "1_000", "2026-01-02", "1.10", ".inf", "true", "12:30:45", "=", "<<<"}
	src := strings.Replace(holding, "age: 24h}", "age: 24h, except: [{pointer: /a, in: ["+strings.Join(want, ", ")+"]}]}", 1)
	doc, _ := examine(&findings{}, []byte(src))
	if diff := cmp.Diff([]continuity.Except{{Pointer: "/a", In: want}}, build(doc, "/").Routes[0].Hold.Except); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDurationsSizesRates(t *testing.T) {
	for text, want := range map[string]any{
		"duration 90s": 90 * time.Second, "duration 15m": 15 * time.Minute, "duration 7d": 168 * time.Hour,
		"duration 250ms": 250 * time.Millisecond, "duration 1.5h": 90 * time.Minute, "duration 3650d": 3650 * 24 * time.Hour,
		"duration 3651d": nil, "duration 1h30m": nil, "duration 1 h": nil, "duration 6mo": nil, "duration 1e3s": nil,
		"duration +5s": nil, "duration .5s": nil, "duration 10": nil, "duration 0": nil, "duration ": nil, "duration 5S": nil,
		"duration 99999999999999999999d": nil,
		"size 4KiB":                      int64(4096), "size 1.5GiB": int64(3 << 29), "size 2 MiB": int64(2 << 20), "size 10kB": int64(10000), "size 512B": int64(512),
		"size 4K": nil, "size 4kib": nil, "size 4  MiB": nil, "size -1MiB": nil, "size 0B": nil, "size 1025TiB": nil,
		"rate 400/s": 400.0, "rate 90/min": 1.5, "rate 1800/h": 0.5, "rate 0/s": nil, "rate -1/s": nil, "rate 400/S": nil, "rate 400": nil,
		"percent 10%": 0.1, "percent 100%": 1.0, "percent 1%": 0.01, "percent 0.5%": nil, "percent 101%": nil, "percent 0.1": nil,
		"address :9000": ":9000", "address [::1]:80": "[::1]:80", "address localhost:1": "localhost:1",
		"address 9000": nil, "address ::1:80": nil, "address [127.0.0.1]:80": nil, "address a:070": nil, "address a:65536": nil, "address a b:80": nil,
		"upstream http://shop": "http://shop:80", "upstream http://[::1]:9001": "http://[::1]:9001",
		"upstream http://shop/": nil, "upstream http://shop:0": nil, "upstream http://shop?": nil, "upstream HTTP://shop": "http://shop:80",
		"upstream //shop": nil, "upstream shop": nil,
	} {
		kind, value, _ := strings.Cut(text, " ")
		got, bad := kinds[kind].Parse(value, "")
		if diff := cmp.Diff(want, got); diff != "" || (bad == nil) != (want != nil) {
			t.Errorf("%q: %v, %v, want %v", text, got, bad, want)
		}
	}
}
