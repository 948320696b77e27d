package binding_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/plan"
	"holdfast/internal/secret"
)

func TestSourcesOfNotices(t *testing.T) {
	file := "../../examples/plans/im-maintenance.yaml"
	later := func(r secret.Ref) func() (string, error) {
		return func() (string, error) { return "of " + r.Name, nil }
	}
	const mailbox = `
  - {id: mails, provider: messenger, kind: mailbox, server: "imap.example.com:993", user: us, from: [status@messenger.example], auth: {secret: MAIL}, zone: Asia/Tokyo, every: 2m, pattern: 维护}
calendars:`
	good := string(read(t, plan.TechName(file)))
	s := binding.Notices(parsed(t, file, []byte(strings.Replace(good, "\ncalendars:", mailbox, 1))), later)
	if s.ID != "im-maintenance" || len(s.Sources) < 2 || s.Zone.String() != "Asia/Shanghai" {
		t.Fatalf("%+v", s)
	}
	feed, mails := s.Sources[0], s.Sources[len(s.Sources)-1]
	if feed.Kind != "feed" || feed.Ref() != "im-maintenance/messenger-status" || feed.Every != 5*time.Minute || feed.Level != continuity.LevelYellow || feed.Auth != nil || feed.Zone.String() != "Asia/Shanghai" {
		t.Errorf("%+v", feed)
	}
	if password, err := mails.Auth(); err != nil || password != "of MAIL" || mails.AuthRef != "secret MAIL" || mails.Folder != "INBOX" || mails.Zone.String() != "Asia/Tokyo" || !mails.Pattern.MatchString("系统维护") {
		t.Errorf("%+v", mails)
	}
	other := "../../examples/plans/web-chat-outage.yaml"
	names := binding.Notices(parsed(t, other, read(t, plan.TechName(other))), later).Sources[0].Names
	if len(names) == 0 || !slices.Contains(names[0].Names, names[0].ID) {
		t.Errorf("%+v", names)
	}

	for _, c := range []struct{ from, to, says string }{
		{"kind: feed", `kind: page, selector: "li["`, "no CSS selector"},
		{"kind: feed", "kind: feed, every: 5s", "at most every 30s"},
		{"from: [status@messenger.example]", "from: [status messenger]", "is no sender"},
		{"kind: feed, url: https", "kind: feed, auth: {secret: X}, url: http", "open connection"},
		{"kind: meetings, url", "kind: meetings, every: 1s, url", "at most every 30s"},
	} {
		text := strings.Replace(strings.Replace(good, "\ncalendars:", mailbox, 1), c.from, c.to, 1)
		if !strings.Contains(text, c.to) {
			t.Fatal(c.from)
		}
		p := parsed(t, file, []byte(text))
		found := binding.Check(p)
		if !slices.ContainsFunc(found, func(p problem) bool { return strings.Contains(p.Text(catalogue.En), c.says) }) {
			t.Errorf("%s: %v", c.to, found)
		}
		for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
			for _, p := range found {
				if said := p.Text(lang) + p.Hint(lang); strings.Contains(said, "notice.plan") {
					t.Error(said)
				}
			}
		}
		if n := len(binding.Notices(p, later).Sources); c.says != "at most every 30s" && n != len(s.Sources)-1 {
			t.Errorf("%s: %d sources", c.to, n)
		}
	}
}
