package control

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/miekg/dns"

	"holdfast/internal/controlapi"
	"holdfast/internal/notify"
)

const (
	mailUser = "alerts@example.com"
	mailWord = "not-to-be-told-7731"
)

// mails is a mail server that puts what it takes into a mailbox.
type mails struct {
	box  *imapmemserver.User
	lost bool // it takes mails, and they never arrive
}

type mailSession struct{ *mails }

func (mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, name, word string) error {
		if name != mailUser || word != mailWord {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (mailSession) Mail(string, *smtp.MailOptions) error { return nil }
func (mailSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (mailSession) Reset()                               {}
func (mailSession) Logout() error                        { return nil }

func (s mailSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil || s.lost {
		return err
	}
	_, err = s.box.Append("INBOX", sized{bytes.NewReader(raw)}, &imap.AppendOptions{Time: time.Now()})
	return err
}

type sized struct{ *bytes.Reader }

func (l sized) Size() int64 { return l.Reader.Size() }

// names answers for the sender's domain.
type names map[string]string

func (n names) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	answer := new(dns.Msg).SetReply(q)
	answer.Authoritative, answer.RecursionAvailable = true, true
	name := strings.ToLower(q.Question[0].Name)
	text, ok := n[name]
	if !ok {
		answer.Rcode = dns.RcodeNameError
	} else if q.Question[0].Qtype == dns.TypeTXT {
		rr := &dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: 60}}
		for ; len(text) > 255; text = text[255:] {
			rr.Txt = append(rr.Txt, text[:255])
		}
		rr.Txt = append(rr.Txt, text)
		answer.Answer = []dns.RR{rr}
	}
	_ = w.WriteMsg(answer)
}

// serveNames has names be answered by this machine.
func serveNames(t *testing.T, n names) {
	t.Helper()
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started, done := make(chan struct{}), make(chan struct{})
	server := &dns.Server{PacketConn: packets, Handler: n, NotifyStartedFunc: func() { close(started) }}
	go func() { defer close(done); _ = server.ActivateAndServe() }()
	<-started
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", packets.LocalAddr().String())
	}}
	t.Cleanup(func() {
		net.DefaultResolver = before
		_ = server.Shutdown()
		<-done
	})
}

// listening has a server of mails answer until the test ends.
func listening(t *testing.T, serve func(net.Listener) error, end func() error) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = serve(l) }()
	t.Cleanup(func() { _ = end(); <-done })
	return l.Addr().String()
}

// TestAMailChannelIsTestedAllTheWay has a node test a channel of mail: it sends by
// SMTP, finds the mail by IMAP where it arrived, and says what the names of the sender's
// domain lack. One whose mails get lost fails, though the server took them.
func TestAMailChannelIsTestedAllTheWay(t *testing.T) {
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "ca.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, filepath.Join(dir, "mail.secret"), mailWord)
	private := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}

	post := &mails{box: imapmemserver.NewUser(mailUser, mailWord)}
	if err := post.box.Create("INBOX", nil); err != nil {
		t.Fatal(err)
	}
	out := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return mailSession{post}, nil }))
	out.Domain, out.ErrorLog, out.TLSConfig = "mail.example", log.New(io.Discard, "", 0), private
	smtpAt := listening(t, out.Serve, out.Close)
	memory := imapmemserver.New()
	memory.AddUser(post.box)
	in := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return memory.NewSession(), nil, nil
		},
		Caps: imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapIMAP4rev2: {}}, Logger: log.New(io.Discard, "", 0), TLSConfig: private,
	})
	imapAt := listening(t, in.Serve, in.Close)

	signs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&signs.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	domain := names{
		"example.com.":                     "v=spf1 ip4:127.0.0.1 -all",
		"mail2026._domainkey.example.com.": "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(public),
		"_dmarc.example.com.":              "v=DMARC1; p=reject",
	}
	for _, c := range []struct {
		name   string
		domain names
		lost   bool
		state  string
		read   bool
		advice string
	}{
		{"all is well", domain, false, notify.TrialPassed, true, "warning notify.advice.mail-spf-server-unknown, ok notify.advice.mail-dkim-ok, ok notify.advice.mail-dmarc-ok"},
		{"its domain says nothing", names{"example.com.": ""}, false, notify.TrialPassed, true, "warning notify.advice.mail-spf-none, error notify.advice.mail-dkim-none, warning notify.advice.mail-dmarc-none"},
		{"its mails get lost", domain, true, notify.TrialFailed, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			serveNames(t, c.domain)
			post.lost = c.lost
			data := t.TempDir()
			n := run(t, settings(t, data, `secrets: {folder: `+dir+`}
channels:
  - {id: mail, kind: mail, with: {server: "`+smtpAt+`", trust: `+filepath.Join(dir, "ca.pem")+`, from: `+mailUser+`, auth: {file: `+filepath.Join(dir, "mail.secret")+`},
     imap: {server: "`+imapAt+`"}, dkim: {selector: mail2026}}}
`))
			ctx := t.Context()
			if c.lost { // whoever waits goes after a while
				var done context.CancelFunc
				ctx, done = context.WithTimeout(ctx, 5*time.Second)
				defer done()
			}
			tested, err := n.channels.Test(ctx, li, "mail", controlapi.ChannelTest{To: mailUser, Language: "en"})
			if err != nil || tested.Trial.State != c.state || tested.Trial.Read != c.read {
				t.Fatalf("%+v, %v", tested, err)
			}
			if c.lost && tested.Trial.Reason.Code != "channel.unread" {
				t.Errorf("%+v", tested.Trial)
			}
			var advice []string
			for _, a := range tested.Advice {
				advice = append(advice, a.Level+" "+a.Code)
			}
			if got := strings.Join(advice, ", "); got != c.advice && !c.lost {
				t.Errorf("%s, want %s", got, c.advice)
			}
			info, err := n.channels.Channel(t.Context(), "mail")
			if err != nil || info.Test == nil || info.Test.ID != tested.Trial.ID || info.Test.State != c.state || info.Test.By.ID != li.ID {
				t.Errorf("it is recorded as %+v, %v", info.Test, err)
			}
		})
	}
}
