package binding_test

import (
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/binding"
	"holdfast/internal/plan"
	"holdfast/internal/runbook"
)

// TestWhatPeopleTickOffWhereTheyTalkElsewhere goes through all actions by which people
// talk elsewhere, there and back: phones and desktops are lines of their own, and a
// channel over which the node can't send is tried by a person first.
func TestWhatPeopleTickOffWhereTheyTalkElsewhere(t *testing.T) {
	const channels = `channels:
  - {id: chat, name: {en: Chat, zh: 聊天}, kind: wecom, how: {en: Open the app., zh: 打开应用。}, devices: [mobile, desktop]}
  - {id: letters, name: {en: Standby mail, zh: 备用邮箱}, kind: mail, standby: true, how: {en: mail.example, zh: mail.example}, devices: [desktop, mobile]}
  - {id: texts, kind: sms, standby: true, devices: [mobile]}
  - {id: desk, name: {en: The desk, zh: 前台}, kind: hotline, how: {en: Dial 100., zh: 拨 100。}}
  - {id: cellar, name: {en: The cellar, zh: 机房}, kind: phone, how: {en: Dial 200., zh: 拨 200。}}
  - {id: call, name: {en: The bridge, zh: 电话会议}, kind: meeting, how: {en: "+86 400, room 17", zh: 400 会议室 17}}
`
	both := []string{"chat", "letters", "texts"} // what the node can send over
	for _, c := range []struct {
		name, step  string
		reaches     []string
		there, back string
	}{
		{
			"switched", "do: channel.switch, with: {from: chat, to: letters}", both,
			"desktop: On desktops: everybody is on Standby mail. mail.example | mobile: On phones: everybody is on Standby mail. mail.example",
			"mobile: On phones: everybody is on Chat. Open the app. | desktop: On desktops: everybody is on Chat. Open the app.",
		},
		{
			"switched to what phones alone have", "do: channel.switch, with: {from: chat, to: texts}", both,
			"mobile: On phones: everybody is on texts.",
			"mobile: On phones: everybody is on Chat. Open the app. | desktop: On desktops: everybody is on Chat. Open the app.",
		},
		{
			"switched to what the node can't reach", "do: channel.switch, with: {from: chat, to: letters}", []string{"chat"},
			"tested!: Try Standby mail and get an answer. mail.example | desktop: On desktops: everybody is on Standby mail. mail.example | mobile: On phones: everybody is on Standby mail. mail.example",
			"mobile: On phones: everybody is on Chat. Open the app. | desktop: On desktops: everybody is on Chat. Open the app.",
		},
		{
			"and back to what it can't reach", "do: channel.switch, with: {from: chat, to: letters}", []string{"letters"},
			"desktop: On desktops: everybody is on Standby mail. mail.example | mobile: On phones: everybody is on Standby mail. mail.example",
			"tested!: Try Chat and get an answer. Open the app. | mobile: On phones: everybody is on Chat. Open the app. | desktop: On desktops: everybody is on Chat. Open the app.",
		},
		{"tested", "do: channel.test, with: {channel: letters}", both, "", ""},
		{"tested by hand", "do: channel.test, with: {channel: letters}", nil, "tested: Try Standby mail and get an answer. mail.example", ""},
		{
			"calls forwarded", "do: call.forward, with: {from: desk, to: cellar}", both,
			"tried: Call The cellar and have somebody answer. Dial 200. | forwarded: Calls to The desk are forwarded to The cellar | rings: Called from another phone: it rings at The cellar",
			"tried-back: The desk can be answered again | ended: The forwarding is ended | rings-again: Called from another phone: it rings at The desk",
		},
		{
			"a bridge", "do: bridge.open, with: {channel: call}", both,
			"opened: The bridge is open: +86 400, room 17 | mobile: Joined from a phone, and heard | desktop: Joined from a desktop, and heard | sent: Everybody concerned has the link",
			"said: All on the bridge know that it ends, and where to talk then | closed: The bridge is closed",
		},
		{
			"a bridge by its link", "do: bridge.open, with: {channel: call, link: 'https://meet.example/17'}", both,
			"opened: The bridge is open: https://meet.example/17 | mobile: Joined from a phone, and heard | desktop: Joined from a desktop, and heard | sent: Everybody concerned has the link",
			"said: All on the bridge know that it ends, and where to talk then | closed: The bridge is closed",
		},
		{
			"hotspots", "do: hotspot.on", both,
			"on: Hotspots are on | desktop: Desktops are connected to them | works: The work's pages open over them",
			"network: The office's own network works again | off: Desktops are back on it and the hotspots are off",
		},
		{"anything else", "say: Go.", both, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := string(read(t, "../plan/testdata/good/small.yaml"))
			text = strings.Replace(text, "channels:\n", channels, 1) + "      - {id: elsewhere, " + c.step + ", owner: commander}\n"
			p, problems := plan.Parse(plan.Source{Name: "shop.yaml", Text: []byte(text)}, nil, nil)
			if p == nil {
				t.Fatal(problems)
			}
			script, ok := binding.Script(p, "restart", func(channel string) bool { return slices.Contains(c.reaches, channel) })
			if !ok || len(script.Steps) != 2 {
				t.Fatalf("%+v", script)
			}
			step := script.Steps[1]
			for what, pair := range map[string][2]string{"there": {lines(t, step.Items), c.there}, "back": {lines(t, step.Back), c.back}} {
				if diff := cmp.Diff(strings.Split(pair[1], " | "), strings.Split(pair[0], " | ")); diff != "" {
					t.Errorf("%s: %s", what, diff)
				}
			}
		})
	}
}

// lines are what is to be ticked off, ! what has to be before the action begins. They
// say the same in Chinese, where what is named has a Chinese name.
func lines(t *testing.T, items []runbook.Item) string {
	t.Helper()
	var all []string
	for _, i := range items {
		first := ""
		if i.First {
			first = "!"
		}
		all = append(all, i.ID+first+": "+strings.TrimSpace(i.Say.En))
		if !strings.ContainsFunc(i.Say.Zh, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			t.Errorf("%s in Chinese: %q", i.ID, i.Say.Zh)
		}
		for _, english := range []string{"Chat", "Standby", "desk", "cellar", "bridge"} {
			if strings.Contains(i.Say.Zh, english) {
				t.Errorf("%s in Chinese: %q", i.ID, i.Say.Zh)
			}
		}
	}
	return strings.Join(all, " | ")
}
