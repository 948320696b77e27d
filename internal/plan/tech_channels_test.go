package plan

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVariablesAsProvidersCountThem(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                   nil,
		"${name}于${time}恢复，${name}":          {"name", "time"},
		"{2} and {10} and {1}":               {"1", "2", "10"},
		"Hello {{2}}, it is {{1}}":           {"1", "2"},
		"{service} {1}":                      {"service", "1"},
		"no { braces } and $name, ${a b} {}": nil,
	} {
		if got := VariablesIn(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestWhatMayBeSentOverAChannel goes through every way in which a template comes
// to a channel.
func TestWhatMayBeSentOverAChannel(t *testing.T) {
	small, err := os.ReadFile("testdata/good/small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const channels = "channels:\n  - {id: phones, kind: phone, standby: true}\n"
	for name, c := range map[string]struct {
		more, steps string
		want        []string
	}{
		"nobody but staff are called": {want: []string{Page}},
		"customers": {
			more: "audiences: {customers: {kind: customers, channels: [sms]}}\n",
			want: []string{"holding-statement", "update-customers", "all-clear-customers"},
		},
		"customers whose mail fails, and heads": {
			more: "audiences: {customers: {kind: customers, channels: [mails]}, heads: {kind: executives, channels: [sms]}}\n",
			want: []string{"holding-statement", "update-customers", "all-clear-customers", "first-word-executives", "update-executives", "all-clear-executives", Page},
		},
		"maintenance, of those who are told": {
			more: "audiences: {a: {kind: partners, channels: [sms]}, b: {kind: regulator, channels: [sms]}}\nmaintenance: {tell: [a]}\n",
			want: []string{
				"maintenance-notice-partners", "maintenance-start-partners", "maintenance-changed-partners", "maintenance-overrun-partners", "maintenance-end-partners", "maintenance-cancelled-partners",
				"first-word-partners", "update-partners", "all-clear-partners", "first-word-regulator", "update-regulator", "all-clear-regulator",
			},
		},
		"compensation": {
			more: "audiences: {c: {kind: customers, channels: [sms]}}\ncompensation: {approve: commander, rules: [{id: late, for: c, after: 1h, give: points, points: 5}]}\n",
			want: []string{"holding-statement", "update-customers", "all-clear-customers", "compensation-customers"},
		},
		"the plan's own words": {
			more: "audiences: {c: {kind: customers, channels: [sms]}}\ntemplates: [{id: sorry, audience: customers, phase: first, text: \"{service}!\"}]\n",
			want: []string{"sorry", "update-customers", "all-clear-customers"},
		},
		"a step, over the channel itself": {
			more:  "audiences: {c: {kind: customers, channels: [site]}}\n",
			steps: "      - {id: tell, do: notify, with: {to: c, template: first-word-staff, channel: sms}, owner: commander}\n",
			want:  []string{"first-word-staff", Page},
		},
		"a step, over one that leads there": {
			more:  "audiences: {c: {kind: customers, channels: [site]}}\n",
			steps: "      - {id: tell, do: notify, with: {to: c, template: first-word-staff, channel: mails}, owner: commander}\n",
			want:  []string{"first-word-staff", Page},
		},
		"a step, over another": {
			more:  "audiences: {c: {kind: customers, channels: [site]}}\n",
			steps: "      - {id: tell, do: notify, with: {to: c, template: first-word-staff}, owner: commander}\n",
			want:  []string{Page},
		},
		"replies": {
			steps: "      - {id: answer, do: autoreply.on, with: {channel: sms, template: holding-statement}, owner: commander}\n      - {id: mail, do: autoreply.on, with: {channel: mails, template: update-staff}, owner: commander}\n",
			want:  []string{"holding-statement", Page},
		},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(string(small), channels, channels+"  - {id: sms, kind: sms}\n  - {id: mails, kind: mail, next: sms}\n  - {id: site, kind: site}\n"+c.more, 1) + c.steps
			p, problems := Parse(Source{"shop.yaml", []byte(text)}, nil, nil)
			if p == nil {
				t.Fatalf("%+v", problems)
			}
			if diff := cmp.Diff(c.want, p.Sent("sms")); diff != "" {
				t.Error(diff)
			}
		})
	}
}
