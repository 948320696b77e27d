package control

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/notify"
	"holdfast/internal/planbook"
	"holdfast/internal/runbook"
)

// TestWhatArrivedIsNotSaidToBeUntold tells those who answer for a service what became of
// a message: that it reached nobody, or that it arrived and nobody answered.
func TestWhatArrivedIsNotSaidToBeUntold(t *testing.T) {
	p := newPager(t)
	n := paged(t, p)
	until(t, "the plan", func() bool { return n.planOf("payment-outage") != nil })
	note := continuity.Notification{ID: "payment-outage-2026-1.n-1", Service: "payment-outage", Urgency: continuity.UrgencyPage, State: continuity.NotifyFailed}
	for name, c := range map[string]struct {
		failure       string
		subject, text continuity.Text
		template      string
		want, never   string
	}{
		"arrived":     {notify.FailUnacknowledged, continuity.Text{En: "Lead it", Zh: "请负责"}, continuity.Text{}, "", "nobody answered: Lead it", "nobody was told"},
		"reached":     {notify.FailNobody, continuity.Text{En: "Lead it", Zh: "请负责"}, continuity.Text{}, "", "nobody was told: Lead it", "answered"},
		"only a text": {notify.FailUnreachable, continuity.Text{}, continuity.Text{En: "It works again.\nThank you."}, "", "nobody was told: It works again.", "answered"},
		"a template":  {notify.FailTemplate, continuity.Text{}, continuity.Text{}, "customers/all-clear", "nobody was told: customers/all-clear", "answered"},
	} {
		note.Failure, note.Subject, note.Text, note.Template = c.failure, c.subject, c.text, c.template
		changes := n.untold(&note, time.Now())
		if len(changes) != 2 {
			t.Errorf("%s: %+v", name, changes)
			continue
		}
		signal, told := string(changes[0].Body), string(changes[1].Body)
		if !strings.Contains(told, c.want) || strings.Contains(signal+told, c.never) {
			t.Errorf("%s: %s\n%s", name, signal, told)
		}
	}
}

// TestAPlanSaysWhomNobodyCanPage has a plan hold on a node whose one channel is a program:
// it reaches rooms, and no person.
func TestAPlanSaysWhomNobodyCanPage(t *testing.T) {
	for name, c := range map[string]struct{ channels, want string }{
		"a program":  {"channels:\n  - {id: pager, kind: exec, with: {program: /bin/true}}\n", "wording.plan.unreached"},
		"no channel": {"", "wording.plan.unreached-none"},
		"a pager":    {"channels:\n  - {id: pager, kind: ntfy, with: {server: \"https://ntfy.example\"}}\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			n := run(t, settings(t, t.TempDir(), c.channels))
			apply(t, n, "payment-outage", reading(newExporter(t))...)
			people := []continuity.Person{}
			for _, id := range []string{"li.wei", "zhang.min", "chen.jie", "wu.hao", "sun.lan", "he.ping"} {
				people = append(people, continuity.Person{ID: id, Names: map[string]string{"en": id}, Addresses: []continuity.Address{
					{Kind: "phone", Value: "+8613800138001"}, {Kind: continuity.AddressNtfy, Value: strings.ReplaceAll(id, ".", "-")},
				}})
			}
			if _, err := n.store.People().Import(t.Context(), li, people, ""); err != nil {
				t.Fatal(err)
			}
			_, texts, err := n.plans.Files(t.Context(), "payment-outage", 0)
			if err != nil {
				t.Fatal(err)
			}
			out, err := n.plans.Submit(t.Context(), li, planbook.Submission{Service: "payment-outage", Base: planbook.Whatever, Texts: texts, DryRun: true})
			if err != nil {
				t.Fatal(err)
			}
			got, said := "", ""
			for _, p := range out.Warnings {
				if strings.HasPrefix(p.ID, "wording.plan.unreached") {
					got, said = got+p.ID, p.What(catalogue.En)
				}
			}
			if got != c.want || got != "" && !strings.Contains(said, "li.wei (commander") {
				t.Errorf("%q, want %q: %s", got, c.want, said)
			}
		})
	}
}

// TestAFailedCommandSaysWhatItSaid has the reason of a failed step bear the last line
// that its command wrote.
func TestAFailedCommandSaysWhatItSaid(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "shop.sh")
	if err := os.WriteFile(script, []byte("echo stopping\necho disk is not there >&2\nexit 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := run(t, settings(t, dir, "commands:\n  - {id: restart-shop, argv: [/bin/sh, "+script+"]}\n"))
	step := runbook.Step{ID: "restart", Do: "command", With: map[string]string{"command": "restart-shop"}}
	r := n.actions()["command"].Do(t.Context(), runbook.Call{
		Run: &continuity.Run{ID: "r", Service: "shop"}, Step: &step, Key: "r/restart/1", Until: time.Now().Add(time.Minute),
	})
	if r.Failed == nil {
		t.Fatal("it did not fail")
	}
	if said := runbook.Why(catalogue.En, *r.Failed); said != "The command restart-shop ended with 3: disk is not there" {
		t.Error(said)
	}
	if got := lastLine("a\n\x1b[31m" + strings.Repeat("长", 300) + "\n\n"); len([]rune(got)) != mostSaid || strings.Contains(got, "\x1b") {
		t.Errorf("%q", got)
	}
}
