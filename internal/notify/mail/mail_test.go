package mail

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-smtp"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/notify"
	"holdfast/internal/notify/notifytest"
	"holdfast/internal/outgoing"
	"holdfast/internal/secret"
)

// parts reads a mail: its head, and the texts of its parts by their types.
func parts(t *testing.T, raw []byte) (mail.Header, map[string]string) {
	t.Helper()
	r, err := mail.CreateReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return r.Header, texts
		}
		if err != nil {
			t.Fatal(err)
		}
		kind, _, err := part.Header.(*mail.InlineHeader).ContentType()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(part.Body)
		if err != nil {
			t.Fatal(err)
		}
		texts[kind] = string(body)
	}
}

func TestSentInBothLanguages(t *testing.T) {
	p := servePost(t, tlsStart)
	c := channelOf(t, p.settings())
	chinese := told()
	english := told()
	english.Language, english.Urgent, english.Name, english.Subject = "en", false, "O'Neil, \"Ann\"", "Orders can't be processed"
	english.Text, english.Link = "Since 10:02 <orders> fail & wait.\n\n.\nUse the spare mailbox.\n", ""
	for _, m := range []*notify.Message{chinese, english} {
		sent, err := c.Send(t.Context(), m)
		if err != nil || sent.Arrived || !strings.HasPrefix(sent.ID, m.Key+".") || !strings.HasSuffix(sent.ID, "@example.com") {
			t.Fatalf("%+v, %v", sent, err)
		}
	}
	if !strings.Contains(p.said.String(), "STARTTLS") {
		t.Error("not private")
	}
	all := p.letters()
	for i, m := range []*notify.Message{chinese, english} {
		if all[i].from != user || all[i].to != reader {
			t.Errorf("%+v", all[i])
		}
		for l := range strings.SplitSeq(string(all[i].raw), "\r\n") {
			if len(l) > 200 || strings.ContainsFunc(l, func(r rune) bool { return r > '~' || r < ' ' && r != '\t' }) {
				t.Errorf("line %q", l)
			}
		}
		head, texts := parts(t, all[i].raw)
		subject, err := head.Subject()
		if err != nil || subject != m.Subject {
			t.Errorf("%q, %v", subject, err)
		}
		to, err := head.AddressList("To")
		if err != nil || len(to) != 1 || to[0].Name != m.Name || to[0].Address != reader {
			t.Errorf("%v, %v", to, err)
		}
		from, err := head.AddressList("From")
		if err != nil || len(from) != 1 || from[0].Name != "运维 Operations" || from[0].Address != user {
			t.Errorf("%v, %v", from, err)
		}
		if at, err := head.Date(); err != nil || time.Since(at).Abs() > time.Minute {
			t.Error(at, err)
		}
		plain := strings.ReplaceAll(texts["text/plain"], "\r\n", "\n")
		if !strings.HasPrefix(plain, strings.TrimRight(m.Text, "\n")+"\n") || m.Link != "" && !strings.Contains(plain, "\n"+m.Link+"\n") {
			t.Errorf("%q", plain)
		}
		for field, want := range map[string]string{
			"Auto-Submitted": "auto-generated", "Content-Language": m.Language, fieldKey: m.Key, fieldRepeat: "", "Reply-To": "",
		} {
			if got := head.Get(field); got != want {
				t.Errorf("%s: %q", field, got)
			}
		}
	}
	head, texts := parts(t, all[0].raw)
	if head.Get("Importance") != "high" || head.Has("Precedence") || !strings.Contains(texts["text/html"], `<a href="https://ack.example/a/token">`) || !strings.Contains(texts["text/html"], `lang="zh"`) {
		t.Errorf("%v %s", head, texts["text/html"])
	}
	head, texts = parts(t, all[1].raw)
	if head.Get("Precedence") != "bulk" || head.Has("Importance") || !strings.Contains(texts["text/html"], "&lt;orders&gt; fail &amp; wait.") || strings.Contains(texts["text/html"], "<a ") {
		t.Errorf("%v %s", head, texts["text/html"])
	}
}

// TestRepeatsAreTold sends one message twice, and another to somebody else.
func TestRepeatsAreTold(t *testing.T) {
	p := servePost(t, tlsStart)
	c := channelOf(t, p.settings())
	again := told()
	again.Repeat = true
	other := told()
	other.Key, other.To = "orders-2026-7.n-1.d-2", "zhang.min@example.com"
	for _, m := range []*notify.Message{told(), again, other} {
		if _, err := c.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	var ids, threads []string
	var repeats []string
	for _, l := range p.letters() {
		head, _ := parts(t, l.raw)
		id, err := head.MessageID()
		if err != nil {
			t.Error(err)
		}
		before, err := head.MsgIDList("References")
		if err != nil || len(before) != 1 || head.Get("In-Reply-To") != "<"+before[0]+">" {
			t.Fatal(before, err)
		}
		ids, threads, repeats = append(ids, id), append(threads, before[0]), append(repeats, head.Get(fieldRepeat))
	}
	if ids[0] != ids[1] || ids[2] == ids[0] || !slices.Equal(repeats, []string{"", "yes", ""}) || threads[0] != threads[2] || !strings.HasPrefix(threads[0], "orders-2026-7.") {
		t.Error(ids, repeats, threads)
	}
}

func failureOf(t *testing.T, c notify.Channel, m *notify.Message) notify.Failure {
	t.Helper()
	_, err := c.Send(t.Context(), m)
	f := notifytest.Failed(t, err)
	if text := err.Error(); strings.Contains(text, password) || strings.Contains(text, reader) || strings.Contains(text, "@") {
		t.Errorf("%s says too much", text)
	}
	return *f
}

func TestPrivate(t *testing.T) {
	for _, way := range []string{tlsStart, tlsImplicit, tlsNone} {
		p := servePost(t, way)
		s := p.settings()
		s.TLS = way
		if _, err := channelOf(t, s).Send(t.Context(), told()); err != nil || len(p.letters()) != 1 {
			t.Errorf("%s: %v", way, err)
		}
	}
	open := servePost(t, tlsNone) // and would take the password in the clear
	if got := failureOf(t, channelOf(t, open.settings()), told()); got.Code != notify.FailSettings || got.Said != "starttls" || got.Retry {
		t.Errorf("%+v", got)
	}
	if strings.Contains(open.said.String(), "AUTH PLAIN ") || strings.Contains(open.said.String(), "MAIL FROM") {
		t.Error("spoken in the clear")
	}
	for _, way := range []string{tlsStart, tlsImplicit} {
		unknown := servePost(t, way)
		s := unknown.settings()
		s.TLS = way
		_, s.Trust = authority(t)
		if got := failureOf(t, channelOf(t, s), told()); got.Code != notify.FailSettings || got.Said != "certificate" || got.Retry {
			t.Errorf("%s: %+v", way, got)
		}
		s.Trust = "/no/such/file"
		if got := failureOf(t, channelOf(t, s), told()); got.Code != notify.FailSettings || got.Said != "trust" {
			t.Errorf("%s: %+v", way, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	say := func(code, class, subject, detail int) *smtp.SMTPError {
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{class, subject, detail}, Message: "<" + reader + "> " + password}
	}
	for name, c := range map[string]struct {
		at   step
		says *smtp.SMTPError
		want notify.Failure
	}{
		"going":             {greeting, say(421, 4, 3, 2), notify.Failure{Code: notify.FailProvider, Retry: true, Status: 421, Said: "4.3.2"}},
		"not spoken to":     {greeting, say(554, 5, 7, 1), notify.Failure{Code: notify.FailRefused, Status: 554, Said: "5.7.1"}},
		"wrong password":    {authenticating, say(535, 5, 7, 8), notify.Failure{Code: notify.FailRefused, Status: 535, Said: "5.7.8"}},
		"can't tell":        {authenticating, say(454, 4, 7, 0), notify.Failure{Code: notify.FailProvider, Retry: true, Status: 454, Said: "4.7.0"}},
		"not this sender":   {sender, say(550, 5, 0, 0), notify.Failure{Code: notify.FailRefused, Status: 550, Said: "5.0.0"}},
		"log in first":      {sender, say(530, 5, 7, 0), notify.Failure{Code: notify.FailRefused, Status: 530, Said: "5.7.0"}},
		"too big":           {sender, say(552, 5, 3, 4), notify.Failure{Code: notify.FailContent, Status: 552, Said: "5.3.4"}},
		"nobody":            {recipient, say(550, 5, 1, 1), notify.Failure{Code: notify.FailAddress, Status: 550, Said: "5.1.1"}},
		"nobody, plainly":   {recipient, say(550, 5, 0, 0), notify.Failure{Code: notify.FailAddress, Status: 550, Said: "5.0.0"}},
		"moved":             {recipient, say(551, 5, 0, 0), notify.Failure{Code: notify.FailAddress, Status: 551, Said: "5.0.0"}},
		"not a name":        {recipient, say(553, 5, 0, 0), notify.Failure{Code: notify.FailAddress, Status: 553, Said: "5.0.0"}},
		"full":              {recipient, say(552, 5, 2, 2), notify.Failure{Code: notify.FailAddress, Status: 552, Said: "5.2.2"}},
		"no relaying":       {recipient, say(550, 5, 7, 1), notify.Failure{Code: notify.FailRefused, Status: 550, Said: "5.7.1"}},
		"grey list":         {recipient, say(451, 4, 7, 1), notify.Failure{Code: notify.FailProvider, Retry: true, Status: 451, Said: "4.7.1"}},
		"busy":              {recipient, say(450, 4, 2, 1), notify.Failure{Code: notify.FailProvider, Retry: true, Status: 450, Said: "4.2.1"}},
		"spam":              {data, say(550, 5, 7, 1), notify.Failure{Code: notify.FailContent, Status: 550, Said: "5.7.1"}},
		"spam, plainly":     {data, say(554, 5, 0, 0), notify.Failure{Code: notify.FailContent, Status: 554, Said: "5.0.0"}},
		"full, at the end":  {data, say(552, 5, 0, 0), notify.Failure{Code: notify.FailContent, Status: 552, Said: "5.0.0"}},
		"nobody, at last":   {data, say(550, 5, 1, 1), notify.Failure{Code: notify.FailAddress, Status: 550, Said: "5.1.1"}},
		"later, at the end": {data, say(452, 4, 3, 1), notify.Failure{Code: notify.FailProvider, Retry: true, Status: 452, Said: "4.3.1"}},
		"not known":         {sender, say(504, 5, 5, 4), notify.Failure{Code: notify.FailSettings, Status: 504, Said: "5.5.4"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := servePost(t, tlsStart)
			p.at[c.at] = c.says
			if got := failureOf(t, channelOf(t, p.settings()), told()); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
			if len(p.letters()) != 0 {
				t.Error("it was taken")
			}
		})
	}
}

// TestNoAnswer ends the connection, or has no time left, when the message is all
// there: the server may have taken it. Before that it can't have.
func TestNoAnswer(t *testing.T) {
	p := servePost(t, tlsStart)
	p.take = func(conn io.Closer) error { return conn.Close() }
	if got := failureOf(t, channelOf(t, p.settings()), told()); got != (notify.Failure{Code: notify.FailUncertain, Retry: true, Maybe: true}) {
		t.Errorf("%+v", got)
	}

	slow := servePost(t, tlsStart)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	slow.take = func(io.Closer) error {
		cancel()
		<-over
		return nil
	}
	_, err := channelOf(t, slow.settings()).Send(ctx, told())
	if got := notifytest.Failed(t, err); *got != (notify.Failure{Code: notify.FailUncertain, Retry: true, Maybe: true}) {
		t.Errorf("%+v", got)
	}
	close(over)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := p.settings()
	s.Server = listener.Addr().String()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, "220 here\r\n")
		_ = conn.Close()
	}()
	if got := failureOf(t, channelOf(t, s), told()); got != (notify.Failure{Code: notify.FailUnreachable, Retry: true}) {
		t.Errorf("%+v", got)
	}
	_ = listener.Close()
	if got := failureOf(t, channelOf(t, s), told()); got != (notify.Failure{Code: notify.FailUnreachable, Retry: true}) {
		t.Errorf("%+v", got)
	}
}

func TestOnlyWhereItMay(t *testing.T) {
	p := servePost(t, tlsStart)
	tools := notifytest.Tools(t, map[string]string{"MAIL": password})
	tools.Guard = outgoing.New(outgoing.NewPolicy(), nil)
	c, err := Kind.Open(p.settings(), tools)
	if err != nil {
		t.Fatal(err)
	}
	if got := failureOf(t, c, told()); got != (notify.Failure{Code: notify.FailSettings, Said: "outgoing"}) {
		t.Errorf("%+v", got)
	}
	s := p.settings()
	s.Auth = &secret.Ref{Name: "MISSING"}
	if got := failureOf(t, channelOf(t, s), told()); got != (notify.Failure{Code: notify.FailSettings, Said: "secret"}) {
		t.Errorf("%+v", got)
	}
}

// TestNothingBegins has texts that would begin fields, messages or recipients.
func TestNothingBegins(t *testing.T) {
	p := servePost(t, tlsStart)
	s := p.settings()
	s.Name = "x\r\nBcc: all@example.com"
	c := channelOf(t, s)
	m := told()
	m.Subject = "down\r\nBcc: all@example.com\r\n\r\nbody\u2028x\x00"
	m.Name = "Li\nCc: all@example.com"
	m.Key, m.Thread, m.Language, m.Reply = "a b>\r\nBcc: x", "t>\r\nBcc: <x", "zh\r\nBcc: x", "t\r\nBcc"
	m.Text = "one\r\n.\r\nMAIL FROM:<evil@example.com>\r\n\x1b[31mred"
	if _, err := c.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	all := p.letters()
	if len(all) != 1 || all[0].to != reader {
		t.Fatalf("%+v", all)
	}
	head, texts := parts(t, all[0].raw)
	for fields := head.Fields(); fields.Next(); {
		if slices.Contains([]string{"Bcc", "Cc"}, fields.Key()) {
			t.Errorf("%s: %s", fields.Key(), fields.Value())
		}
	}
	if subject, err := head.Subject(); err != nil || subject != "down Bcc: all@example.com body x" {
		t.Errorf("%q, %v", subject, err)
	}
	if !strings.Contains(texts["text/plain"], "one\r\n.\r\nMAIL FROM") || strings.Contains(texts["text/plain"], "\x1b") {
		t.Errorf("%q", texts["text/plain"])
	}
	for _, to := range []string{"", "nobody", "a@b@c", "li@example.com\r\nRCPT TO:<all@example.com>", "li@example.com>", `"li wei"@example.com`, "Li <li@example.com>", "李伟@example.com", "li@", "@example.com", "li@-x-", strings.Repeat("x", 65) + "@example.com"} {
		m := told()
		m.To = to
		if got := failureOf(t, c, m); got != (notify.Failure{Code: notify.FailAddress}) {
			t.Errorf("%q: %+v", to, got)
		}
	}
	m = told()
	m.To = "li.wei+ops@例子.测试"
	if _, err := c.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if all := p.letters(); len(all) != 2 || all[1].to != "li.wei+ops@xn--fsqu00a.xn--0zwm56d" {
		t.Errorf("%+v", all[len(all)-1])
	}
}

func TestSettings(t *testing.T) {
	good := func() *Settings { return &Settings{Server: "smtp.example.com:587", From: user} }
	for field, change := range map[string]func(*Settings){
		"":              func(*Settings) {},
		"server":        func(s *Settings) { s.Server = ":587" },
		"tls":           func(s *Settings) { s.TLS = tlsNone },
		"from":          func(s *Settings) { s.From = "Alerts <alerts@example.com>" },
		"reply_to":      func(s *Settings) { s.ReplyTo = "operations" },
		"user":          func(s *Settings) { s.User = user },
		"plus":          func(s *Settings) { s.Plus = true },
		"imap":          func(s *Settings) { s.IMAP = &IMAP{Server: "imap.example.com:993"} },
		"imap.server":   func(s *Settings) { s.IMAP = &IMAP{Server: ":993", Auth: &secret.Ref{Name: "MAIL"}} },
		"dkim.selector": func(s *Settings) { s.DKIM = &DKIM{Selector: "a b"} },
	} {
		s := good()
		change(s)
		var found []string
		s.Check(func(field, text string, _ ...any) {
			found = append(found, field)
			for _, id := range []string{text, text + ".hint"} {
				if catalogue.Text(catalogue.Zh, id, nil) == id {
					t.Errorf("no text %s", id)
				}
			}
		})
		if strings.Join(found, " ") != field {
			t.Errorf("%q: %v", field, found)
		}
		_, err := Kind.Open(s, notifytest.Tools(t, nil))
		if (err == nil) != (field == "") || err != nil && continuity.CodeOf(err) != continuity.CodeConfig {
			t.Errorf("%q: %v", field, err)
		}
	}
	for _, local := range []string{"127.0.0.1:25", "localhost:25", "[::1]:25"} {
		s := good()
		s.Server, s.TLS = local, tlsNone
		s.Check(func(field, text string, _ ...any) { t.Error(local, field, text) })
	}
	c := channelOf(t, &Settings{Server: "smtp.example.com:465", From: user}).(*channel)
	if c.TLS != tlsImplicit {
		t.Error(c.TLS)
	}
	if _, ok := notify.Channel(c).(notify.Poller); ok {
		t.Error("a channel without a mailbox reads answers")
	}
}
