package control

import (
	"errors"
	"strings"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/planbook"
	"holdfast/internal/yamldoc"
)

// TestWhatIsShownIsWhatIsSent has a node with a provider of text messages, WhatsApp
// and a gateway take only plans over which something can be sent; what the preview
// shows and what the router takes is the same.
func TestWhatIsShownIsWhatIsSent(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/key.secret", "0123456789abcdef")
	n := run(t, settings(t, dir, `secrets: {folder: .}
channels:
  - {id: sms, kind: sms-aliyun, with: {account: {access_key: LTAI5tTest, access_secret: {file: key.secret}}, sign: Shop}}
  - {id: chat, kind: whatsapp, with: {number: "106540352242922", token: {file: key.secret}}}
  - {id: gateway, kind: sms-http, with: {url: "https://sms.example.com/send", json: "{\"to\": \"{to}\", \"text\": \"{text}\"}"}}
`))
	people := []continuity.Person{{ID: "li.wei", Names: map[string]string{"en": "Li Wei"}}, {ID: "zhang.min", Names: map[string]string{"en": "Zhang Min"}}}
	if _, err := n.store.People().Import(t.Context(), li, people, ""); err != nil {
		t.Fatal(err)
	}
	const (
		phones = "  - {id: phones, kind: phone, standby: true}\n"
		tech   = "schema: holdfast/plan-tech@1\nchecks:\n  - {id: web, heartbeat: 1h}\n  - {id: backup, heartbeat: 1h}\n"
		page   = `templates: {page: {code: T1, variables: {service: name, subject: what}, text: "${name}: ${what}"}}`
	)
	for _, c := range []struct {
		name, channel, kind, tech string
		refused                   string // why the node does not take the plan
		via                       string // what stands behind; empty: nothing
	}{
		{"text messages by name", "sms", "sms", "", "wording.plan.unapproved", ""},
		{"WhatsApp by name", "chat", "messenger", "", "wording.plan.unapproved", ""},
		{"WhatsApp, of which nothing is said", "talk", "messenger", "{id: talk, via: chat}", "plan.wording-unsaid", ""},
		{"WhatsApp that is to send any text", "talk", "messenger", "{id: talk, via: chat, wording: free}", "wording.plan.approved", ""},
		{"a gateway by name", "gateway", "sms", "", "", "gateway"},
		{"text messages", "texts", "sms", "{id: texts, via: sms, " + page + "}", "", "sms"},
		{"WhatsApp", "talk", "messenger", "{id: talk, via: chat, " + page + "}", "", "chat"},
		{"nothing", "letters", "mail", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			texts := continuity.PlanTexts{Plan: strings.Replace(checkedPlan, phones, phones+"  - {id: "+c.channel+", kind: "+c.kind+"}\n", 1), Tech: tech}
			if c.tech != "" {
				texts.Tech += "channels: [" + c.tech + "]\n"
			}
			_, err := n.plans.Submit(t.Context(), li, planbook.Submission{Service: "shop", Base: planbook.Whatever, Texts: texts})
			if why := mistake(err); why != c.refused {
				t.Fatalf("refused for %q, want %q: %v", why, c.refused, err)
			}
			if c.refused != "" {
				return
			}
			if err := n.plans.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			shown, err := previewDesk{n}.Preview(controlapi.PreviewQuery{Service: "shop", Channel: c.channel, Template: "holding-statement", Language: "en"})
			if err != nil || shown.Via != c.via || shown.Text == "" {
				t.Errorf("%+v, %v, want %s", shown, err, c.via)
			}
			way, _, ok := (&router{node: n, senders: n.channels.senders}).behind(n.planOf("shop"), "holding-statement", c.channel)
			if ok != (c.via != "") || ok && way.Sender != shown.Via || ok && (way.Approved != nil) != (shown.Code != "") {
				t.Errorf("sent by %+v, %t; shown: %+v", way, ok, shown)
			}
		})
	}
}

// mistake is the first one for which a plan is refused.
func mistake(err error) string {
	var told *continuity.Error
	if !errors.As(err, &told) {
		return ""
	}
	problems, _ := told.Args["problems"].([]yamldoc.Problem)
	for _, p := range problems {
		if p.Severity == yamldoc.Error {
			return p.ID
		}
	}
	return string(told.Code)
}
