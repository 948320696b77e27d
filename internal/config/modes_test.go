package config

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/continuity"
)

const diverting = `listen: 127.0.0.1:9000
routes:
  - id: pay
    upstream: http://127.0.0.1:9001
    moved: http://127.0.0.1:9011
    standby:
      upstream: http://127.0.0.1:9002
      timeouts: {attempt: 3s}
      check: {path: /up}
    hold: {state: never}
    detect: {then: divert}
    reply:
      cache: true
      item: 64KiB
      stale: 2h
      title: {en: Paused, zh: 暂停}
      text: {zh: 请稍候}
      channels:
        - {name: {en: Hotline, zh: 热线}, url: "tel:+8610123456"}
        - {name: {zh: 柜台}, text: {zh: 各营业厅}}
      retry_after: 30s
    block:
      - {reason: scraper, address: [192.0.2.7, "2001:db8::/32", 10.0.0.0/8], path: /export/**, header: ["User-Agent: bad*", X-Probe]}
`

func TestModesAreMapped(t *testing.T) {
	relay, problems, err := Parse("relay.yaml", []byte(diverting), t.TempDir())
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	r := relay.Routes[0]
	got := continuity.Route{Moved: r.Moved, Standby: r.Standby, Reply: r.Reply, Block: r.Block}
	want := continuity.Route{
		Moved: []string{"http://127.0.0.1:9011"},
		Standby: &continuity.Standby{
			Upstream: "http://127.0.0.1:9002", Path: "/up", Every: time.Second, Down: 2, Up: 3,
			Timeouts: continuity.Timeouts{Connect: time.Second, Attempt: 3 * time.Second, Idle: 30 * time.Second},
		},
		Reply: &continuity.Reply{
			Cache: true, Item: 64 << 10, Stale: 2 * time.Hour, After: 30 * time.Second,
			Title: continuity.Said{En: "Paused", Zh: "暂停"}, Text: continuity.Said{Zh: "请稍候"},
			Channels: []continuity.Channel{
				{Name: continuity.Said{En: "Hotline", Zh: "热线"}, URL: "tel:+8610123456"},
				{Name: continuity.Said{Zh: "柜台"}, Text: continuity.Said{Zh: "各营业厅"}},
			},
		},
		Block: []continuity.Block{{
			Reason:    "scraper",
			Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("10.0.0.0/8")},
			Paths:     []string{"/export/**"}, Headers: []continuity.Field{{Name: "User-Agent", Value: "bad*"}, {Name: "X-Probe"}},
		}},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if r.Hold.State != continuity.HoldNever || r.Detect.Then != continuity.IntakeDivert {
		t.Errorf("hold %d, then %s", r.Hold.State, r.Detect.Then)
	}
}

func TestModesNeedWhatTheyStandOn(t *testing.T) {
	hold := "    hold: {state: on, age: 24h}\n"
	for _, c := range []struct{ text, id string }{
		{"    detect: {then: divert}\n", "config.then-needs"},
		{"    detect: {then: reply}\n", "config.then-needs"},
		{"    standby: {upstream: http://127.0.0.1:9001}\n", "config.standby-same"},
		{"    block: [{reason: all}]\n", "config.block-all"},
		{"    block: [{reason: odd, address: 1.2.3}]\n", "config.cidr"},
		{"    block: [{reason: odd, header: \"a b: c\"}]\n", "config.header-match"},
		{"    reply: {item: 1GiB}\n", "config.item-above"},
		{"    reply: {channels: [{name: {en: Desk}}]}\n", "config.channel-empty"},
		{"    reply: {channels: [{name: {}, url: \"https://a.example\"}]}\n", "config.channel-nameless"},
		{"    reply: {channels: [{name: {en: Desk}, url: \"javascript:alert(1)\"}]}\n", "config.link"},
	} {
		wantProblems(t, found(hold, hold+c.text), c.id)
	}
	wantProblems(t, found("hold: {state: on, age: 24h}", "hold: {state: observe, share: 10%}"), "config.share-unheld")
	wantProblems(t, found("hold: {state: on, age: 24h}", "hold: {state: on, share: 10%}"))
}
