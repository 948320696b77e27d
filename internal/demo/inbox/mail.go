package inbox

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
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// openMail starts a mail server that lets nobody send who has not begun TLS and said
// the password.
func (b *Inbox) openMail() error {
	shown, err := certificate(b.Trust)
	if err != nil {
		return err
	}
	server := smtp.NewServer(&mails{b})
	server.Domain, server.ErrorLog = "mail.demo", log.New(io.Discard, "", 0)
	server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{shown}, MinVersion: tls.VersionTLS12}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	b.MailAddress = listener.Addr().String()
	b.runs(func() { _ = server.Serve(listener) }, func() { _ = server.Close() })
	return nil
}

// certificate makes one of this machine that vouches for itself, and writes it down
// for those who are to believe it.
func certificate(file string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.demo"}, NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	err = os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

type mails struct{ *Inbox }

// NewSession implements smtp.Backend.
func (b *mails) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{Inbox: b.Inbox, conn: c}, nil
}

type session struct {
	*Inbox

	conn  *smtp.Conn
	known bool
	to    []string
}

// AuthMechanisms implements smtp.AuthSession.
func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

// Auth implements smtp.AuthSession.
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, name, word string) error {
		if _, private := s.conn.TLSConnectionState(); !private || name != s.User || word != s.Password {
			s.refuse(Mail, "a password that is wrong or was said in the open")
			return smtp.ErrAuthFailed
		}
		s.known = true
		return nil
	}), nil
}

// Mail implements smtp.Session.
func (s *session) Mail(string, *smtp.MailOptions) error {
	if !s.known {
		s.refuse(Mail, "nobody said who sends")
		return smtp.ErrAuthRequired
	}
	if s.asks(context.Background(), Mail) {
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: errDown.Error()}
	}
	return nil
}

// Rcpt implements smtp.Session.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

// Data implements smtp.Session.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	item, err := letter(raw)
	if err != nil {
		s.refuse(Mail, err.Error())
		return &smtp.SMTPError{Code: 554, Message: "not a mail"}
	}
	for _, to := range s.to {
		item.To = to
		switch s.take(item) {
		case Cut, Lost:
			return s.conn.Conn().Close()
		case Refused:
			return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: errDown.Error()}
		}
	}
	return nil
}

// Reset implements smtp.Session.
func (s *session) Reset() { s.to = nil }

// Logout implements smtp.Session.
func (s *session) Logout() error { return nil }

// letter reads a mail as a reader's program does.
func letter(raw []byte) (Item, error) {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return Item{}, err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		return Item{}, err
	}
	_, with, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return Item{}, err
	}
	first, err := multipart.NewReader(m.Body, with["boundary"]).NextRawPart()
	if err != nil {
		return Item{}, err
	}
	var body io.Reader = first
	switch strings.ToLower(first.Header.Get("Content-Transfer-Encoding")) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, first)
	case "quoted-printable":
		body = quotedprintable.NewReader(first)
	}
	text, err := io.ReadAll(body)
	said := strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n"))
	return Item{
		Kind: Mail, Key: m.Header.Get("Message-Id"), Repeat: m.Header.Get("Holdfast-Repeat") != "", Urgent: m.Header.Get("Importance") == "high",
		Subject: subject, Text: said, Link: linkIn(said),
	}, err
}

var links = regexp.MustCompile(`https?://[^\s"<>]+/a/[A-Za-z0-9_-]+`)

// linkIn is the address in a text by which it is acknowledged.
func linkIn(text string) string { return links.FindString(text) }
