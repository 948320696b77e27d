package mail

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"holdfast/internal/notify"
	"holdfast/internal/notify/notifytest"
	"holdfast/internal/secret"
)

// TestThereAndBack sends a message, reads it back where it arrived, and answers it
// as people do.
func TestThereAndBack(t *testing.T) {
	for name, plus := range map[string]bool{"in the subject": false, "in the address": true} {
		t.Run(name, func(t *testing.T) {
			p, b := servePost(t, tlsStart), serveBox(t)
			c := answeredBy(t, p, b, func(s *Settings) { s.Plus, s.ReplyTo = plus, "Operations@example.com" })
			m := told()
			if there, err := c.Read(t.Context(), m.Key); err != nil || there {
				t.Fatal(there, err)
			}
			sent, err := c.Send(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			raw := p.letters()[0].raw
			b.put(string(raw)) // the mailbox is an address of somebody, too
			for key, want := range map[string]bool{m.Key: true, "orders-2026-7.n-1.d-11": false, "orders-2026-7.n-1": false} {
				if there, err := c.Read(t.Context(), key); err != nil || there != want {
					t.Errorf("%s: %v, %v", key, there, err)
				}
			}
			events, state, err := c.Poll(t.Context(), nil)
			if err != nil || len(events) != 0 {
				t.Fatalf("its own message is an answer: %+v, %v", events, err)
			}
			head, texts := parts(t, raw)
			back, err := head.AddressList("Reply-To")
			if err != nil || len(back) != 1 || back[0].Address != map[bool]string{false: "Operations@example.com", true: "Operations+k7f3q2@example.com"}[plus] {
				t.Fatal(back, err)
			}
			subject, err := head.Subject()
			if err != nil || strings.Contains(subject, "[#k7f3q2]") == plus || !strings.Contains(texts["text/plain"], "回复本邮件") {
				t.Errorf("%q %q", subject, texts["text/plain"])
			}
			encoded := "=?utf-8?B?" + base64.StdEncoding.EncodeToString([]byte("回复: "+subject)) + "?="
			before := head.Get("References") + "\n <" + sent.ID + ">"
			for _, answer := range []struct{ name, fields, id string }{
				{"all fields", "In-Reply-To: <" + sent.ID + ">\nReferences: " + before + "\nSubject: " + encoded + "\nTo: " + back[0].Address, sent.ID},
				{"no references", "Subject: " + encoded + "\nTo: others@example.com, <" + strings.ToLower(back[0].Address) + ">", ""},
				{"another subject", "References: " + before + "\nSubject: ok\nTo: operations@example.com", sent.ID},
			} {
				b.put("From: Li Wei <Li.Wei@example.com>\nMessage-ID: <1@phone>\n" + answer.fields + "\nContent-Type: text/plain; charset=utf-8\n\n收到，马上处理。\n\nOn Mon, 1 Dec 2026 at 10:00,\nOperations <alerts@example.com> wrote:\n> 订单\n")
				if events, state, err = c.Poll(t.Context(), state); err != nil || len(events) != 1 {
					t.Fatalf("%s: %+v, %v", answer.name, events, err)
				}
				e := events[0]
				if e.Kind != notify.EventReply || e.Token != m.Reply || e.ID != answer.id || e.From != reader || e.Text != "收到，马上处理。" || e.At.IsZero() {
					t.Errorf("%s: %+v", answer.name, e)
				}
			}
			if events, _, err = c.Poll(t.Context(), state); err != nil || len(events) != 0 {
				t.Errorf("twice: %+v, %v", events, err)
			}
			status := b.said.String()
			if strings.Contains(status, " SELECT ") || strings.Contains(status, " STORE ") || !strings.Contains(status, "EXAMINE") {
				t.Error("the mailbox was changed")
			}
		})
	}
}

// bounce is what a mail server says of a message that it could not deliver.
func bounce(action, status, original string) string {
	return "From: MAILER-DAEMON@mx.example\nReturn-Path: <>\nTo: alerts@example.com\nSubject: Undelivered\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n" +
		"--b\nContent-Type: text/plain\n\nSorry.\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\nArrival-Date: Mon, 1 Dec 2026 10:00:00 +0800\n\n" +
		"Final-Recipient: rfc822; li.wei@example.com\nAction: " + action + "\nStatus: " + status + "\nDiagnostic-Code: smtp; 550 no\n\n--b\nContent-Type: text/rfc822-headers\n\n" + original + "\n--b--\n"
}

func TestMachinesAnswer(t *testing.T) {
	p, b := servePost(t, tlsStart), serveBox(t)
	c := answeredBy(t, p, b, nil)
	sent, err := c.Send(t.Context(), told())
	if err != nil {
		t.Fatal(err)
	}
	raw := strings.ReplaceAll(string(p.letters()[0].raw), "\r\n", "\n")
	head, _, _ := strings.Cut(raw, "\n\n")
	before := "In-Reply-To: <" + sent.ID + ">\nReferences: <answer.k7f3q2@example.com>\nSubject: Re: [#k7f3q2]\n"
	const text = "Content-Type: text/plain\n\nI am away.\n"
	failed := func(code string) *notify.Event {
		return &notify.Event{Kind: notify.EventFailed, ID: sent.ID, Token: "k7f3q2", From: reader, Code: code}
	}
	var state []byte
	for _, m := range []struct {
		name, mail string
		want       *notify.Event
	}{
		{"out of office", "From: li.wei@example.com\nAuto-Submitted: auto-replied (vacation)\n" + before + text, nil},
		{"old out of office", "From: li.wei@example.com\nPrecedence: bulk\n" + before + text, nil},
		{"another's", "From: li.wei@example.com\nX-Autoreply: yes\n" + before + text, nil},
		{"from nobody", "From: li.wei@example.com\nReturn-Path: <>\n" + before + text, nil},
		{"by its subject", "From: li.wei@example.com\n" + strings.Replace(before, "Re:", "自动回复: Re:", 1) + "Content-Type: text/plain\n\n已收到您的邮件。\n", nil},
		{"by its subject in English", "From: li.wei@example.com\n" + strings.Replace(before, "Re:", "Automatic reply:", 1) + text, nil},
		{"said to be no machine", "From: li.wei@example.com\nAuto-Submitted: no\n" + before + text, &notify.Event{Kind: notify.EventReply, ID: sent.ID, Token: "k7f3q2", From: reader, Text: "I am away."}},
		{"read receipt", "From: li.wei@example.com\n" + before + "MIME-Version: 1.0\nContent-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b\n" + text + "--b--\n", nil},
		{"not to us", "From: li.wei@example.com\nSubject: lunch?\n" + text, nil},
		{"nobody there", bounce("failed", "5.1.1", head), failed(notify.FailAddress)},
		{"full", bounce("failed", "5.2.2 (full)", head), failed(notify.FailAddress)},
		{"spam", bounce("failed", "5.7.1", head), failed(notify.FailRefused)},
		{"plainly no", bounce("failed", "5.0.0", head), failed(notify.FailAddress)},
		{"tried for days", bounce("failed", "4.4.7", head), failed(notify.FailUnreachable)},
		{"still trying", bounce("delayed", "4.4.1", head), nil},
		{"handed on", bounce("relayed", "2.0.0", head), nil},
		{"delivered", bounce("delivered", "2.0.0", head), &notify.Event{Kind: notify.EventArrived, ID: sent.ID, Token: "k7f3q2", From: reader}},
		{"of another's mail", bounce("failed", "5.1.1", "Message-ID: <x@elsewhere.example>\nSubject: hi\n"), nil},
		{"in words", "From: Postmaster@mx.example\nSubject: failure\nContent-Type: text/plain\n\nYour mail " + sent.ID + " could not be delivered.\n", &notify.Event{Kind: notify.EventFailed, ID: sent.ID, Code: notify.FailUnknown}},
		{"words of nothing", "From: mailer-daemon@mx.example\nSubject: failure\nContent-Type: text/plain\n\nSome mail could not be delivered.\n", nil},
	} {
		b.put(m.mail)
		var events []notify.Event
		if events, state, err = c.Poll(t.Context(), state); err != nil {
			t.Fatal(m.name, err)
		}
		if m.want == nil {
			if len(events) != 0 {
				t.Errorf("%s: %+v", m.name, events)
			}
			continue
		}
		if len(events) != 1 {
			t.Errorf("%s: %+v", m.name, events)
			continue
		}
		events[0].At = m.want.At
		if events[0] != *m.want {
			t.Errorf("%s: %+v, want %+v", m.name, events[0], *m.want)
		}
	}
}

// TestManyMails finds answers in a mailbox that others fill, some in each look.
func TestManyMails(t *testing.T) {
	p, b := servePost(t, tlsStart), serveBox(t)
	c := answeredBy(t, p, b, nil)
	want := 0
	for i := range maxHeads + 20 {
		if i%5 != 0 {
			b.put(fmt.Sprintf("From: a@b.example\nSubject: %d\n\nx\n", i))
			continue
		}
		want++
		b.put(fmt.Sprintf("From: a@b.example\nSubject: [#token%d]\n\nx\n", i))
	}
	seen := map[string]bool{}
	var state []byte
	for range 10 {
		events, next, err := c.Poll(t.Context(), state)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if seen[e.Token] {
				t.Errorf("%s twice", e.Token)
			}
			seen[e.Token] = true
		}
		state = next
	}
	if len(seen) != want {
		t.Errorf("%d of %d", len(seen), want)
	}
}

func TestWhatAPersonWrote(t *testing.T) {
	for text, want := range map[string]string{
		"ok":                     "ok",
		"ok\n\n> was it?\n> yes": "ok",
		"a\nb\n\nc\nd\ne\nf":     "a\nb\nc\nd\ne",
		"好的\n\n发件人：运维\n主题：订单":                                "好的",
		"好的\n在 2026年12月1日，运维写道：\n订单":                         "好的",
		"收到\n------------------ 原始邮件 ------------------\nx":  "收到",
		"yes\nSent from my phone":                            "yes",
		"yes\n--\nLi Wei":                                    "yes",
		"yes\nOn Mon, Ops wrote:\nOn Tue the shop is closed": "yes",
		"On Monday we come\nok":                              "On Monday we come\nok",
		"> only what was before":                             "",
		strings.Repeat("长", 400):                             strings.Repeat("长", 165) + "…",
	} {
		if got := fresh(text); got != want {
			t.Errorf("%.60q: %q", text, got)
		}
	}
}

// TestHostileMails feeds what is made to cost, or to break.
func TestHostileMails(t *testing.T) {
	c := &answered{channel: &channel{domain: "example.com", from: user, tools: notifytest.Tools(t, nil)}}
	var deep strings.Builder
	deep.WriteString("From: mailer-daemon@x\r\n")
	for i := range 1000 {
		fmt.Fprintf(&deep, "Content-Type: multipart/report; report-type=delivery-status; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	for name, mail := range map[string]string{
		"deep": deep.String(), "many": "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\nContent-Type: message/rfc822\r\n\r\nx\r\n", 5000),
		"empty": "", "zeros": string(make([]byte, 1000)), "no fields": bounce("", "", ""), "strange status": bounce("failed", "999999999999999999999.-1.x", "Message-ID: <>"),
		"ids": "Subject: x\r\n\r\n" + strings.Repeat("a.000000000000@example.con ", 2000),
	} {
		for _, kind := range []sort{reply, report} {
			if e, ok := c.event(kind, []byte(mail)); ok && (e.ID != "" || e.Token != "" || len(e.Text) > maxWords) {
				t.Errorf("%s: %+v", name, e)
			}
		}
	}
}

func TestMailboxFailures(t *testing.T) {
	p, b := servePost(t, tlsStart), serveBox(t)
	look := func(ctx context.Context, c *answered) notify.Failure {
		t.Helper()
		state := []byte(`{"validity":1,"last":7}`)
		events, next, err := c.Poll(ctx, state)
		if len(events) != 0 || string(next) != string(state) {
			t.Errorf("%v %s", events, next)
		}
		if _, again := c.Read(ctx, "key"); again == nil {
			t.Error("read")
		}
		if strings.Contains(err.Error(), password) {
			t.Error("the password is told")
		}
		return *notifytest.Failed(t, err)
	}
	for name, c := range map[string]struct {
		change func(*Settings)
		want   notify.Failure
	}{
		"password":    {func(s *Settings) { s.IMAP.Auth = &secret.Ref{Name: "OTHER"} }, notify.Failure{Code: notify.FailRefused}},
		"no password": {func(s *Settings) { s.IMAP.Auth = &secret.Ref{Name: "MISSING"} }, notify.Failure{Code: notify.FailSettings, Said: "secret"}},
		"folder":      {func(s *Settings) { s.IMAP.Folder = "Answers" }, notify.Failure{Code: notify.FailSettings, Said: "mail-folder"}},
		"trust":       {func(s *Settings) { s.Trust = p.trust }, notify.Failure{Code: notify.FailSettings, Said: "certificate"}},
		"nobody":      {func(s *Settings) { s.IMAP.Server = "127.0.0.1:1" }, notify.Failure{Code: notify.FailUnreachable, Retry: true}},
		"not let out": {func(s *Settings) { s.IMAP.Server = "192.0.2.1:993" }, notify.Failure{Code: notify.FailSettings, Said: "refused"}},
	} {
		if got := look(t.Context(), answeredBy(t, p, b, c.change)); got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := look(ctx, answeredBy(t, p, b, nil)); got != (notify.Failure{Code: notify.FailUnreachable, Retry: true}) {
		t.Errorf("%+v", got)
	}
}
