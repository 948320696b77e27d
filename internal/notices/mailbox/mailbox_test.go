package mailbox_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"golang.org/x/text/encoding/simplifiedchinese"

	"holdfast/internal/notices"
	"holdfast/internal/notices/mailbox"
	"holdfast/internal/outgoing/fetch"
)

const (
	user     = "notices@example.com"
	password = "not-to-be-told-7731"
)

// box is a mail server with one mailbox.
type box struct {
	t       *testing.T
	user    *imapmemserver.User
	address string
	roots   *x509.CertPool
	said    said // by clients, after the connection was made private
}

// said keeps what is written by several goroutines.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// serve starts a server that offers STARTTLS, or none.
func serve(t *testing.T, private bool) *box {
	t.Helper()
	b := &box{t: t, user: imapmemserver.NewUser(user, password)}
	if err := b.user.Create("INBOX", nil); err != nil {
		t.Fatal(err)
	}
	memory := imapmemserver.New()
	memory.AddUser(b.user)
	certificate, roots := authority(t)
	b.roots = roots
	o := &imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return memory.NewSession(), nil, nil
		},
		Caps: imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapIMAP4rev2: {}}, Logger: log.New(io.Discard, "", 0), InsecureAuth: true,
	}
	if private {
		o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
		o.DebugWriter = &b.said
	}
	server := imapserver.New(o)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	b.address = listener.Addr().String()
	return b
}

func authority(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

func (b *box) source(t *testing.T, secret string, from ...string) notices.Source {
	t.Helper()
	s, err := mailbox.New(&notices.Spec{
		Service: "chat", ID: "mails", Kind: "mailbox", Server: b.address, User: user, Folder: "INBOX", From: from,
		Auth: func() (string, error) { return secret, nil },
	}, &notices.Tools{
		Dial: func(*notices.Spec) func(context.Context, string, string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext
		},
		Now: time.Now,
		TLS: func(_ *notices.Spec, host string) (*tls.Config, error) {
			return &tls.Config{RootCAs: b.roots, ServerName: host, MinVersion: tls.VersionTLS12}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type literal struct{ *bytes.Reader }

func (l literal) Size() int64 { return l.Reader.Size() }

func (b *box) put(mail string) {
	b.t.Helper()
	mail = strings.ReplaceAll(mail, "\n", "\r\n")
	if _, err := b.user.Append("INBOX", literal{bytes.NewReader([]byte(mail))}, &imap.AppendOptions{Time: time.Now()}); err != nil {
		b.t.Fatal(err)
	}
}

func simple(from, id, subject, body string) string {
	return fmt.Sprintf("From: %s\nMessage-ID: <%s@vendor.example>\nDate: Fri, 20 Nov 2026 10:00:00 +0800\nSubject: %s\nContent-Type: text/plain; charset=utf-8\n\n%s\n", from, id, subject, body)
}

func TestMailsAreReadAndNotMarked(t *testing.T) {
	b := serve(t, true)
	b.put(simple("Vendor <status@vendor.example>", "1", "Scheduled maintenance", "Login, 2026-12-01 02:00-06:00 UTC"))
	b.put(simple("somebody@else.example", "2", "Lunch?", "12:00"))
	s := b.source(t, password, "Status@vendor.example")
	look, err := s.Read(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(look.Items) != 1 || look.Items[0].Key != "mail:1@vendor.example" || look.Items[0].Text != "Login, 2026-12-01 02:00-06:00 UTC" ||
		!look.Items[0].Written.Equal(time.Date(2026, 11, 20, 2, 0, 0, 0, time.UTC)) || look.Items[0].Doubts[0] != mailbox.DoubtSender {
		t.Fatalf("%+v", look)
	}
	again, err := s.Read(t.Context(), look.Next)
	if err != nil || len(again.Items) != 0 {
		t.Fatalf("%+v, %v", again, err)
	}
	b.put(simple("Vendor <status@vendor.example>", "3", "Resolved", "over"))
	if again, err = s.Read(t.Context(), again.Next); err != nil || len(again.Items) != 1 || again.Items[0].Key != "mail:3@vendor.example" {
		t.Fatalf("%+v, %v", again, err)
	}
	status, err := b.user.Status("INBOX", &imap.StatusOptions{NumUnseen: true, NumMessages: true})
	if err != nil || *status.NumUnseen != 3 || *status.NumMessages != 3 {
		t.Errorf("%d of %d are unseen, %v", *status.NumUnseen, *status.NumMessages, err)
	}
	// A mailbox that was made anew is read anew.
	if anew, err := s.Read(t.Context(), []byte(`{"validity":1234567,"last":99}`)); err != nil || len(anew.Items) != 2 {
		t.Errorf("%+v, %v", anew, err)
	}
	if said := b.said.String(); strings.Contains(said, " SELECT ") || !strings.Contains(said, "EXAMINE") || strings.Contains(said, " STORE ") || !strings.Contains(said, "BODY.PEEK[]") {
		t.Errorf("%.2000s", said)
	}
}

func TestRefusals(t *testing.T) {
	why := func(s notices.Source) string {
		t.Helper()
		_, err := s.Read(t.Context(), nil)
		f := new(fetch.Failure)
		if !errors.As(err, &f) {
			t.Fatal(err)
		}
		if strings.Contains(err.Error(), password) {
			t.Error("the password is told")
		}
		return f.Why
	}
	b := serve(t, true)
	if got := why(b.source(t, "wrong")); got != "mail-login" {
		t.Error(got)
	}
	b.roots = x509.NewCertPool()
	if got := why(b.source(t, password)); got != fetch.Certificate {
		t.Error(got)
	}
	open := serve(t, false) // and would take the password in the clear
	if got := why(open.source(t, password)); got != "mail-starttls" {
		t.Error(got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.source(t, password).Read(ctx, nil); err == nil {
		t.Error("read after the end")
	}
}

func gbk(t *testing.T, text string) string {
	t.Helper()
	b, err := simplifiedchinese.GBK.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParse(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte(gbk(t, "系统将于12月1日凌晨2点至6点维护")))
	for name, c := range map[string]struct{ mail, title, text, doubt string }{
		"GBK": {
			"From: a@vendor.example\nSubject: =?gb2312?B?" + base64.StdEncoding.EncodeToString([]byte(gbk(t, "维护通知"))) + "?=\nContent-Type: text/plain; charset=GBK\nContent-Transfer-Encoding: base64\n\n" + encoded + "\n",
			"维护通知", "系统将于12月1日凌晨2点至6点维护", mailbox.DoubtSender,
		},
		"GB 18030 HTML": {
			"From: a@vendor.example\nSubject: x\nContent-Type: text/html; charset=gb18030\n\n<p>" + gbk(t, "紧急维护") + "</p><style>p{}</style>\n",
			"x", "紧急维护", mailbox.DoubtSender,
		},
		"alternatives": {
			"From: a@vendor.example\nSubject: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: multipart/alternative; boundary=a\n\n--a\nContent-Type: text/html\n\n<p>html</p>\n--a\nContent-Type: text/plain\n\nplain\n--a--\n--m\nContent-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\nattached\n--m--\n",
			"x", "plain", mailbox.DoubtSender,
		},
		"signed": {
			"Authentication-Results: mx.example; spf=pass; dkim=pass (2048-bit key) header.d=vendor.example\nFrom: a@mail.vendor.example\nSubject: x\n\nbody\n",
			"x", "body", mailbox.DoubtSenderSaid,
		},
		"signed by another": {
			"Authentication-Results: mx.example; dkim=pass header.d=evil.example\nFrom: a@vendor.example\nSubject: x\n\nbody\n",
			"x", "body", mailbox.DoubtSender,
		},
		"unknown characters": {"From: a@b.c\nSubject: =?x-klingon?Q?hi?=\nContent-Type: text/plain; charset=x-klingon\n\nbody\n", "=?x-klingon?Q?hi?=", "body", mailbox.DoubtSender},
		"cut off":            {"From: a@b.c\nSubject: x\nContent-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: text/plain\n\nbegins and", "x", "begins and", mailbox.DoubtSender},
	} {
		item, ok := mailbox.Parse([]byte(strings.ReplaceAll(c.mail, "\n", "\r\n")), "7/1")
		if !ok || item.Title != c.title || item.Text != c.text || len(item.Doubts) != 1 || item.Doubts[0] != c.doubt || item.Key != "mail:7/1" {
			t.Errorf("%s: %+v, %v", name, item, ok)
		}
	}
}

// TestHostileMails feeds what is made to cost.
func TestHostileMails(t *testing.T) {
	var many strings.Builder
	many.WriteString("Subject: many\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n")
	for range 1000 {
		many.WriteString("--b\r\nContent-Type: image/png\r\n\r\nx\r\n")
	}
	var deep strings.Builder
	deep.WriteString("Subject: deep\r\n")
	for i := range 1000 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	for name, mail := range map[string]string{
		"parts": many.String(), "depth": deep.String(), "head": "Subject: " + strings.Repeat("x", 250<<10), "no head": strings.Repeat("\n", 1000), "zeros": string(make([]byte, 1000)),
		"lines": "Subject: x\r\n" + strings.Repeat("A: b\r\n", 40_000) + "\r\nbody", "words": "Subject: " + strings.Repeat("=?utf-8?B?eA==?= ", 5000) + "\r\n\r\nbody",
	} {
		began := time.Now()
		item, _ := mailbox.Parse([]byte(mail), "1/1")
		if len(item.Title) > 300 || len(item.Text) > 8<<10 {
			t.Errorf("%s: %d, %d bytes", name, len(item.Title), len(item.Text))
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s: %s", name, took)
		}
	}
}

// TestAServerThatSendsTooMuch never ends its greeting.
func TestAServerThatSendsTooMuch(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		junk := bytes.Repeat([]byte("* OK "), 1<<16)
		for {
			if _, err := conn.Write(junk); err != nil {
				return
			}
		}
	}()
	b := &box{t: t, address: listener.Addr().String()}
	if _, err := b.source(t, password).Read(t.Context(), nil); err == nil {
		t.Error("read")
	}
}

func TestSender(t *testing.T) {
	for _, c := range []struct {
		address, wanted string
		is              bool
	}{
		{"status@vendor.example", "status@vendor.example", true},
		{"status@vendor.example", "STATUS@Vendor.example", true},
		{"x@vendor.example", "@vendor.example", true},
		{"x@vendor.example", "vendor.example", true},
		{"x@evilvendor.example", "vendor.example", false},
		{"x@mail.vendor.example", "vendor.example", false},
		{"status@vendor.example.evil.example", "status@vendor.example", false},
	} {
		if mailbox.Sender(c.address, c.wanted) != c.is {
			t.Errorf("%+v", c)
		}
	}
}
