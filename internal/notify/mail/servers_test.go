package mail

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"holdfast/internal/notify"
	"holdfast/internal/notify/notifytest"
	"holdfast/internal/secret"
)

const (
	user     = "alerts@example.com"
	password = "not-to-be-told-7731"
	reader   = "li.wei@example.com"
)

// authority makes a certificate of this machine that vouches for itself; trust is
// the file that says to believe it.
func authority(t *testing.T) (shown tls.Certificate, trust string) {
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
	trust = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(trust, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, trust
}

// post is a mail server.
type post struct {
	t       *testing.T
	address string
	trust   string
	said    said

	// What it does with a message; set before it is used.
	at   map[step]error             // what it answers
	take func(from io.Closer) error // at the message's end

	mu    sync.Mutex
	taken []letter
}

type letter struct {
	from, to string
	raw      []byte
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

// servePost starts a mail server that is private in one of the ways.
func servePost(t *testing.T, private string) *post {
	t.Helper()
	p := &post{t: t, at: map[step]error{}}
	shown, trust := authority(t)
	p.trust = trust
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		if err := p.at[greeting]; err != nil {
			return nil, err
		}
		return &session{post: p, conn: c}, nil
	}))
	server.Domain, server.ErrorLog, server.Debug = "mail.example", log.New(io.Discard, "", 0), &p.said
	config := &tls.Config{Certificates: []tls.Certificate{shown}, MinVersion: tls.VersionTLS12}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = listener.Addr().String()
	switch private {
	case tlsStart:
		server.TLSConfig = config
	case tlsImplicit:
		listener = tls.NewListener(listener, config)
	default:
		server.AllowInsecureAuth = true
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
	return p
}

type session struct {
	*post

	conn   *smtp.Conn
	known  bool
	letter letter
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, name, word string) error {
		if err := s.at[authenticating]; err != nil {
			return err
		}
		if name != user || word != password {
			return smtp.ErrAuthFailed
		}
		s.known = true
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if !s.known {
		return smtp.ErrAuthRequired
	}
	s.letter.from = from
	return s.at[sender]
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.letter.to += to
	return s.at[recipient]
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.take != nil {
		if err := s.take(s.conn.Conn()); err != nil {
			return err
		}
	}
	if err := s.at[data]; err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.letter.raw = raw
	s.taken = append(s.taken, s.letter)
	return nil
}

func (s *session) Reset() { s.letter = letter{} }

func (s *session) Logout() error { return nil }

// letters are the messages that were taken.
func (p *post) letters() []letter {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]letter(nil), p.taken...)
}

// settings are those of a channel that sends by the server.
func (p *post) settings() *Settings {
	return &Settings{Server: p.address, Trust: p.trust, From: user, Name: "运维 Operations", Auth: &secret.Ref{Name: "MAIL"}}
}

func channelOf(t *testing.T, s *Settings) notify.Channel {
	t.Helper()
	c, err := Kind.Open(s, notifytest.Tools(t, map[string]string{"MAIL": password}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// told is a message that mail can send.
func told() *notify.Message {
	m := notifytest.Message()
	m.Kind, m.To = "mail", reader
	return m
}

// box is a mailbox behind a mail server.
type box struct {
	t       *testing.T
	user    *imapmemserver.User
	address string
	trust   string
	said    said
}

func serveBox(t *testing.T) *box {
	t.Helper()
	b := &box{t: t, user: imapmemserver.NewUser(user, password)}
	if err := b.user.Create("INBOX", nil); err != nil {
		t.Fatal(err)
	}
	memory := imapmemserver.New()
	memory.AddUser(b.user)
	shown, trust := authority(t)
	b.trust = trust
	server := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return memory.NewSession(), nil, nil
		},
		Caps: imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapIMAP4rev2: {}}, Logger: log.New(io.Discard, "", 0), DebugWriter: &b.said,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{shown}, MinVersion: tls.VersionTLS12},
	})
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

type literal struct{ *bytes.Reader }

func (l literal) Size() int64 { return l.Reader.Size() }

// put delivers a mail; lines may end with \n alone.
func (b *box) put(mail string) {
	b.t.Helper()
	mail = strings.ReplaceAll(strings.ReplaceAll(mail, "\r\n", "\n"), "\n", "\r\n")
	if _, err := b.user.Append("INBOX", literal{bytes.NewReader([]byte(mail))}, &imap.AppendOptions{Time: time.Now()}); err != nil {
		b.t.Fatal(err)
	}
}

// answeredBy is a channel that sends by a server and reads answers in a mailbox.
func answeredBy(t *testing.T, p *post, b *box, change func(*Settings)) *answered {
	t.Helper()
	both, err := os.ReadFile(p.trust)
	if err != nil {
		t.Fatal(err)
	}
	of, err := os.ReadFile(b.trust)
	if err != nil {
		t.Fatal(err)
	}
	s := p.settings()
	s.Trust = filepath.Join(t.TempDir(), "both.pem")
	if err := os.WriteFile(s.Trust, append(both, of...), 0o600); err != nil {
		t.Fatal(err)
	}
	s.IMAP = &IMAP{Server: b.address}
	if change != nil {
		change(s)
	}
	c, ok := channelOf(t, s).(*answered)
	if !ok {
		t.Fatal(errors.New("a channel with a mailbox that can't read answers"))
	}
	return c
}
