package binding_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/binding"
	"holdfast/internal/catalogue"
	"holdfast/internal/notify"
	"holdfast/internal/notify/kinds"
	"holdfast/internal/plan"
	"holdfast/internal/yamldoc"
)

var nodeKinds = map[string]notify.Kind{
	"company-sms": {Name: "sms-aliyun", Serves: []string{"sms"}, Templates: true}, "gateway": {Name: "sms-http", Serves: []string{"sms"}},
	"company-mail": {Name: "mail", Serves: []string{"mail"}}, "whatsapp": {Name: "whatsapp", Serves: []string{"messenger"}, Templates: true},
}

func nodeKind(id string) (notify.Kind, bool) {
	kind, ok := nodeKinds[id]
	return kind, ok
}

const chatFile = "../../examples/plans/web-chat-outage.yaml"

func chat(t *testing.T, from, to string) *plan.Plan {
	t.Helper()
	text := string(read(t, plan.TechName(chatFile)))
	if from != "" && !strings.Contains(text, from) {
		t.Fatal(from)
	}
	return parsed(t, chatFile, []byte(strings.Replace(text, from, to, 1)))
}

func TestChannelsThatANodeCannotBe(t *testing.T) {
	for _, c := range []struct {
		via  string
		node map[string]notify.Kind
		want string
	}{
		{"company-sms", nodeKinds, ""},
		{"gateway", nodeKinds, ""},
		{"company-smss", nodeKinds, "the node has no channel company-smss"},
		{"telephone", nodeKinds, "the node has no channel telephone"},
		{"company-sms", nil, "the node has no channel company-sms: it has none at all"},
		{"company-mail", nodeKinds, "company-mail is a channel of kind mail and can't be sms, which is sms"},
	} {
		var got []string
		for _, p := range binding.RefusedChannels(chat(t, "via: company-sms", "via: "+c.via), c.node) {
			if p.Column == 0 || p.Hint(catalogue.En) == p.ID+".hint" {
				t.Errorf("%+v", p)
			}
			got = append(got, p.What(catalogue.En))
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s: %q, want %q", c.via, got, c.want)
		}
	}
	tech := string(read(t, plan.TechName(chatFile)))
	tech = tech[:strings.Index(tech, "channels:\n")] + "channels: [{id: sms, via: company-sms, wording: free}]\n"
	found := binding.RefusedChannels(parsed(t, chatFile, []byte(tech)), nodeKinds)
	if len(found) != 1 || found[0].What(catalogue.En) != "company-sms (sms-aliyun) sends approved texts only, and sms is to send any" {
		t.Errorf("%+v", found)
	}
}

func TestWording(t *testing.T) {
	p := chat(t, "", "")
	values := map[string]string{"start": "10:02", "next_update": "10:30", "next_update@zh": "十点半"}
	w, err := binding.Word(p, nodeKind, "sms", "holding-statement", catalogue.Zh, values)
	if err != nil {
		t.Fatal(err)
	}
	want := binding.Wording{
		Via: "company-sms", Text: "网页客服聊天自10:02起出现异常，正在处理，请用短信、备用邮箱联系我们，十点半再次通报。",
		Template: &notify.Template{
			Code: "SMS_460002", Order: []string{"name", "begun", "other", "next"},
			Variables: map[string]string{"name": "网页客服聊天", "begun": "10:02", "other": "短信、备用邮箱", "next": "十点半"},
		},
	}
	if diff := cmp.Diff(want, w); diff != "" {
		t.Error(diff)
	}
	// The approved text is Chinese whoever reads it; what fills it is in their language.
	if w, err = binding.Word(p, nodeKind, "sms", "all-clear-customers", catalogue.En, nil); err != nil || w.Text != "Web chat with customers已于${time}恢复正常，感谢您的耐心等待。" || len(w.Open) != 1 || w.Open[0] != "end" {
		t.Errorf("%+v, %v", w, err)
	}
	// A channel that sends any text says the plan's own.
	if w, err = binding.Word(p, nodeKind, "standby-mail", "holding-statement", catalogue.En, values); err != nil || w.Template != nil || w.Subject != "Web chat with customers is disturbed" ||
		w.Text != "Web chat with customers is disturbed since 10:02. We are at work on it. You reach us over Text messages, Standby mail. We report again at 10:30." {
		t.Errorf("%+v, %v", w, err)
	}
	if w, err = binding.Word(p, nodeKind, "site", plan.Page, catalogue.En, map[string]string{"subject": "down", "link": ""}); err != nil || w.Text != "Web chat with customers: down " {
		t.Errorf("%+v, %v", w, err)
	}
	for want, ask := range map[error][2]string{
		binding.ErrNoChannel: {"smoke", "holding-statement"}, binding.ErrNoTemplate: {"sms", "poem"},
	} {
		if _, err := binding.Word(p, nodeKind, ask[0], ask[1], catalogue.En, nil); !errors.Is(err, want) {
			t.Errorf("%v: %v", ask, err)
		}
	}
}

// TestOneRuleForWhatStandsBehind has a plan's channel over which nothing could be
// sent refused, and shown so, whichever way it is bound to the node's.
func TestOneRuleForWhatStandsBehind(t *testing.T) {
	kinds := map[string]notify.Kind{
		"aliyun": kindsOf("sms-aliyun"), "voice": kindsOf("voice-tencent"), "whatsapp": kindsOf("whatsapp"), "gateway": kindsOf("sms-http"), "telegram": kindsOf("telegram"),
	}
	const page = "templates: {page: {code: T1, variables: {service: name, subject: what}, text: \"${name}: ${what}\"}}"
	for _, c := range []struct {
		name, is, tech string
		node           string // the kind of the node's channel that is called as the plan's
		check, apply   string // what each refuses
		says           string // the preview; empty: none
		behind         error
	}{
		{"a text message by name", "sms", "", "sms-aliyun", "", "wording.plan.unapproved", "", binding.ErrUnapproved},
		{"a call by name", "phone", "", "voice-tencent", "", "wording.plan.unapproved", "", binding.ErrUnapproved},
		{"WhatsApp by name", "messenger", "", "whatsapp", "", "wording.plan.unapproved", "", binding.ErrUnapproved},
		{"a gateway by name", "sms", "", "sms-http", "", "", "Shop is disturbed", nil},
		{"another kind by name", "sms", "", "telegram", "", "wording.plan.named", "Shop is disturbed", nil},
		{"nothing by name", "sms", "", "", "", "", "Shop is disturbed", binding.ErrNothingBehind},
		{"a text message", "sms", "{id: way, via: aliyun}", "", "plan.approved-missing", "", "", binding.ErrUnapproved},
		{"a text message, free", "sms", "{id: way, via: aliyun, wording: free}", "", "", "wording.plan.approved", "", binding.ErrUnapproved},
		{"a call", "phone", "{id: way, via: voice}", "", "plan.approved-missing", "", "", binding.ErrUnapproved},
		{"WhatsApp", "messenger", "{id: way, via: whatsapp}", "", "plan.wording-unsaid", "wording.plan.approved", "", binding.ErrUnapproved},
		{"WhatsApp, free", "messenger", "{id: way, via: whatsapp, wording: free}", "", "", "wording.plan.approved", "", binding.ErrUnapproved},
		{"WhatsApp without texts", "messenger", "{id: way, via: whatsapp, wording: approved}", "", "plan.approved-missing", "", "", binding.ErrUnapproved},
		{"WhatsApp with its text", "messenger", "{id: way, via: whatsapp, " + page + "}", "", "", "", "Shop: Shop is disturbed", nil},
		{"a text message with its text", "sms", "{id: way, via: aliyun, " + page + "}", "", "", "", "Shop: Shop is disturbed", nil},
		{"Telegram", "messenger", "{id: way, via: telegram, wording: free}", "", "", "", "Shop is disturbed", nil},
		{"what the node has not", "messenger", "{id: way, via: signal, wording: free}", "", "", "wording.plan.via", "Shop is disturbed", binding.ErrNothingBehind},
	} {
		t.Run(c.name, func(t *testing.T) {
			kinds := maps.Clone(kinds)
			if c.node != "" {
				kinds["way"] = kindsOf(c.node)
			}
			text := string(read(t, "../plan/testdata/good/small.yaml"))
			text = strings.Replace(text, "channels:\n", "channels:\n  - {id: way, kind: "+c.is+"}\n", 1)
			text = strings.Replace(text, "name: Web shop", "name: Shop", 1)
			tech := ""
			if c.tech != "" {
				tech = "schema: holdfast/plan-tech@1\nplan: shop\nchecks: [{id: web, heartbeat: 1h}]\nchannels: [" + c.tech + "]\n"
			}
			source := plan.Source{Name: "shop.yaml", Text: []byte(text)}
			var beside *plan.Source
			if tech != "" {
				beside = &plan.Source{Name: "shop.tech.yaml", Text: []byte(tech)}
			}
			p, problems := plan.Parse(source, beside, nil)
			if got := first(problems); got != c.check {
				t.Errorf("checked: %q, want %q", got, c.check)
			}
			if p == nil {
				return // nobody can apply it
			}
			refused := binding.RefusedChannels(p, kinds)
			if got := first(refused); got != c.apply {
				t.Errorf("applied: %q, want %q", got, c.apply)
			}
			node := func(id string) (notify.Kind, bool) { k, ok := kinds[id]; return k, ok }
			if _, _, err := binding.Behind(p, node, "way", "holding-statement"); !errors.Is(err, c.behind) {
				t.Errorf("behind: %v, want %v", err, c.behind)
			}
			w, err := binding.Word(p, node, "way", "holding-statement", catalogue.En, nil)
			said := w.Text
			if w.Template == nil {
				said = w.Subject
			}
			if said != c.says || (err == nil) != (c.says != "") {
				t.Errorf("shown: %q, %v, want %q", said, err, c.says)
			}
			if c.behind != nil && c.check+c.apply == "" && c.node != "" {
				t.Error("nothing can be sent, and nobody says so")
			}
		})
	}
}

func kindsOf(name string) notify.Kind { return kinds.All[name] }

// first is the first mistake.
func first(problems []yamldoc.Problem) string {
	for _, p := range problems {
		if p.Severity == yamldoc.Error {
			return p.ID
		}
	}
	return ""
}
