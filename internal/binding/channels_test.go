package binding_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/binding"
	"holdfast/internal/catalogue"
	"holdfast/internal/notify"
	"holdfast/internal/plan"
)

var nodeKinds = map[string]notify.Kind{
	"company-sms": {Name: "sms-aliyun", Serves: []string{"sms"}, Templates: true}, "gateway": {Name: "sms-http", Serves: []string{"sms"}},
	"company-mail": {Name: "mail", Serves: []string{"mail"}}, "whatsapp": {Name: "whatsapp", Serves: []string{"messenger"}, Templates: true},
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
	w, err := binding.Word(p, "sms", "holding-statement", catalogue.Zh, values)
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
	if w, err = binding.Word(p, "sms", "all-clear-customers", catalogue.En, nil); err != nil || w.Text != "Web chat with customers已于${time}恢复正常，感谢您的耐心等待。" || len(w.Open) != 1 || w.Open[0] != "end" {
		t.Errorf("%+v, %v", w, err)
	}
	// A channel that sends any text says the plan's own.
	if w, err = binding.Word(p, "standby-mail", "holding-statement", catalogue.En, values); err != nil || w.Template != nil || w.Subject != "Web chat with customers is disturbed" ||
		w.Text != "Web chat with customers is disturbed since 10:02. We are at work on it. You reach us over Text messages, Standby mail. We report again at 10:30." {
		t.Errorf("%+v, %v", w, err)
	}
	if w, err = binding.Word(p, "site", plan.Page, catalogue.En, map[string]string{"subject": "down", "link": ""}); err != nil || w.Text != "Web chat with customers: down " {
		t.Errorf("%+v, %v", w, err)
	}
	for want, ask := range map[error][2]string{
		binding.ErrNoChannel: {"smoke", "holding-statement"}, binding.ErrNoTemplate: {"sms", "poem"}, binding.ErrUnapproved: {"sms", "first-word-regulator"},
	} {
		if _, err := binding.Word(p, ask[0], ask[1], catalogue.En, nil); !errors.Is(err, want) {
			t.Errorf("%v: %v", ask, err)
		}
	}
}
