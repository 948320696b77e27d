package binding_test

import (
	"strings"
	"testing"

	"holdfast/internal/binding"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/notify"
	"holdfast/internal/notify/kinds"
	"holdfast/internal/yamldoc"
)

// TestWhomNoChannelReaches names the people of a plan's roles who can't be paged:
// programs, terminals and rooms reach nobody by themselves, and a provider that sends
// approved texts only reaches people by an approved one.
func TestWhomNoChannelReaches(t *testing.T) {
	p := chat(t, "", "")
	var all []string
	for _, role := range p.Roles {
		all = append(all, role.People...)
	}
	if len(all) == 0 {
		t.Fatal("the plan has no people")
	}
	address := continuity.Address{Kind: "phone", Value: "+8613800138001"}
	known := func(id string) (continuity.Person, bool) {
		return continuity.Person{ID: id, Addresses: []continuity.Address{address}}, true
	}
	for name, c := range map[string]struct {
		node map[string]notify.Kind
		who  func(string) (continuity.Person, bool)
		want string
	}{
		"a program and a board":        {map[string]notify.Kind{"pager": kinds.All["exec"], "console": kinds.All["terminal"], "board": kinds.All["webhook"]}, known, "wording.plan.unreached"},
		"no channel at all":            {nil, known, "wording.plan.unreached-none"},
		"mail, and nobody has one":     {map[string]notify.Kind{"company-mail": kinds.All["mail"]}, known, "wording.plan.unreached"},
		"text messages":                {map[string]notify.Kind{"gateway": kinds.All["sms-http"]}, known, ""},
		"approved texts":               {map[string]notify.Kind{"company-sms": kinds.All["sms-aliyun"]}, known, ""},
		"approved texts, of no plan's": {map[string]notify.Kind{"other": kinds.All["voice-aliyun"]}, known, "wording.plan.unreached"},
		"nobody is known":              {nil, func(string) (continuity.Person, bool) { return continuity.Person{}, false }, ""},
	} {
		found := binding.Unreached(p, c.node, c.who)
		if c.want == "" {
			if len(found) != 0 {
				t.Errorf("%s: %v", name, found)
			}
			continue
		}
		if len(found) != 1 || found[0].ID != c.want || found[0].Severity != yamldoc.Warning || found[0].Line < 2 || found[0].Hint(catalogue.Zh) == c.want+".hint" {
			t.Errorf("%s: %+v", name, found)
			continue
		}
		for _, id := range all {
			if !strings.Contains(found[0].What(catalogue.En), id+" (") {
				t.Errorf("%s: %s is not in %q", name, id, found[0].What(catalogue.En))
			}
		}
	}
}
