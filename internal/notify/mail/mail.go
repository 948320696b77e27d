// Package mail sends by SMTP. A channel that may read a mailbox finds the answers
// to its messages there, and what mail servers say of them, by IMAP.
//
// Each message bears its delivery's key in Message-ID, the same at each attempt,
// so that repeats can be told. An answer is known by the token of the message it
// answers, which stands in References, and in the address to answer to or the
// subject. What a machine answers is no answer.
package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strings"

	"golang.org/x/net/idna"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
	"holdfast/internal/outgoing/imapbox"
	"holdfast/internal/secret"
)

// Kind is the way by mail.
var Kind = notify.Kind{
	Name: "mail", Serves: []string{"mail"}, Address: "mail", Answers: true,
	Settings: func() any { return &Settings{} },
	Open:     open,
}

// Settings of mail.
type Settings struct {
	Server  string      `yaml:"server" kind:"address" required:"true" example:"smtp.example.com:587"`
	TLS     string      `yaml:"tls" kind:"word" of:"starttls,implicit,none" example:"starttls"`
	Trust   string      `yaml:"trust" kind:"file" example:"/etc/holdfast/mail-ca.pem"`
	User    string      `yaml:"user" kind:"text" example:"alerts@example.com"`
	Auth    *secret.Ref `yaml:"auth"`
	From    string      `yaml:"from" kind:"text" required:"true" example:"alerts@example.com"`
	Name    string      `yaml:"name" kind:"text" example:"Example Ltd operations"`
	ReplyTo string      `yaml:"reply_to" kind:"text" example:"operations@example.com"`
	Plus    bool        `yaml:"plus" kind:"bool" default:"false"`
	IMAP    *IMAP       `yaml:"imap"`
	DKIM    *DKIM       `yaml:"dkim"`
}

// IMAP is the mailbox in which answers arrive.
type IMAP struct {
	Server string      `yaml:"server" kind:"address" required:"true" example:"imap.example.com:993"`
	User   string      `yaml:"user" kind:"text" example:"operations@example.com"`
	Auth   *secret.Ref `yaml:"auth"`
	Folder string      `yaml:"folder" kind:"text" default:"INBOX"`
}

// DKIM is where the key stands by which receivers check that messages are the
// sender's.
type DKIM struct {
	Selector string `yaml:"selector" kind:"text" required:"true" example:"mail2026"`
	Domain   string `yaml:"domain" kind:"host" example:"example.com"`
}

// Ways to be private.
const (
	tlsStart    = "starttls"
	tlsImplicit = "implicit"
	tlsNone     = "none"
)

// Check reports what is wrong with settings that are each well formed: the field,
// and the text of the catalogue.
func (s *Settings) Check(report func(field, text string, pairs ...any)) {
	host := hostOf(s.Server)
	if s.Server != "" && host == "" {
		report("server", "notify.mail.server")
	}
	if s.TLS == tlsNone && !loopback(host) {
		report("tls", "notify.mail.tls-none")
	}
	for field, address := range map[string]string{"from": s.From, "reply_to": s.ReplyTo} {
		if _, _, ok := split(address); address != "" && !ok {
			report(field, "notify.mail.address")
		}
	}
	if s.User != "" && s.Auth == nil {
		report("user", "notify.mail.user")
	}
	if s.Plus && s.IMAP == nil {
		report("plus", "notify.mail.plus")
	}
	if s.IMAP != nil {
		if s.IMAP.Server != "" && hostOf(s.IMAP.Server) == "" {
			report("imap.server", "notify.mail.server")
		}
		if s.IMAP.Auth == nil && s.Auth == nil {
			report("imap", "notify.mail.imap-auth")
		}
	}
	if s.DKIM != nil && s.DKIM.Selector != "" && !selectorForm.MatchString(s.DKIM.Selector) {
		report("dkim.selector", "notify.mail.selector")
	}
}

var selectorForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,100}[A-Za-z0-9])?$`)

// channel sends.
type channel struct {
	Settings

	from, domain string // the address, and its domain as the net has it
	tools        notify.Tools
	dns          resolver
}

// answered is a channel whose answers can be read.
type answered struct {
	*channel

	box imapbox.Box
}

func open(settings any, tools notify.Tools) (notify.Channel, error) {
	s := *settings.(*Settings)
	var wrong error
	s.Check(func(field, text string, _ ...any) { wrong = errors.Join(wrong, errors.New("mail: "+field+": "+text)) })
	if wrong != nil {
		return nil, continuity.E(continuity.CodeConfig, wrong)
	}
	if s.TLS == "" {
		s.TLS = tlsStart
		if strings.HasSuffix(s.Server, ":465") {
			s.TLS = tlsImplicit
		}
	}
	local, domain, ok := split(s.From)
	if !ok {
		return nil, continuity.E(continuity.CodeConfig, errors.New("mail: no sender"))
	}
	if s.User == "" {
		s.User = s.From
	}
	c := &channel{Settings: s, from: local + "@" + domain, domain: domain, tools: tools, dns: rooted{net.DefaultResolver}}
	if s.IMAP == nil {
		return c, nil
	}
	box := *s.IMAP
	if box.User == "" {
		box.User = s.User
	}
	auth := box.Auth
	if auth == nil {
		auth = s.Auth
	}
	if box.Folder == "" {
		box.Folder = "INBOX"
	}
	return &answered{c, imapbox.Box{Server: box.Server, User: box.User, Folder: box.Folder, Dial: tools.Guard.DialContext, Password: func() (string, error) {
		password, err := tools.Secret(*auth)
		return string(password), err
	}}}, nil
}

// private makes the TLS settings for a server; what is trusted is read anew, as
// the file may have changed.
func (c *channel) private(server string) (*tls.Config, error) {
	config := &tls.Config{ServerName: hostOf(server), MinVersion: tls.VersionTLS12}
	if c.Trust == "" {
		return config, nil
	}
	pem, err := os.ReadFile(c.Trust) //nolint:gosec // the node's own settings say which file
	if err != nil {
		return nil, err
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("mail: no certificate in the file of trust")
	}
	return config, nil
}

// loopback reports whether a host is this machine by its name alone.
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// hostOf is the host of host:port, and "" where there is none.
func hostOf(server string) string {
	host, _, err := net.SplitHostPort(server)
	if err != nil {
		return ""
	}
	return host
}

var localForm = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+/=?^_{|}~`-]+(\\.[A-Za-z0-9!#$%&'*+/=?^_{|}~`-]+)*$")

// split takes an address apart; the domain is as the net has it. Only what can be
// said to every server without quotes is an address here.
func split(address string) (local, domain string, ok bool) {
	at := strings.LastIndexByte(address, '@')
	if at < 1 || at > 64 || len(address) > 254 || !localForm.MatchString(address[:at]) {
		return "", "", false
	}
	domain, err := idna.Lookup.ToASCII(address[at+1:])
	if err != nil || domain == "" || len(domain) > 253 {
		return "", "", false
	}
	return address[:at], domain, true
}

var (
	_ notify.Adviser = (*channel)(nil)
	_ notify.Poller  = (*answered)(nil)
	_ notify.Reader  = (*answered)(nil)
)

// Send implements notify.Channel for a channel without answers.
func (c *channel) Send(ctx context.Context, m *notify.Message) (notify.Sent, error) {
	return c.send(ctx, m, false)
}

// Send implements notify.Channel.
func (a *answered) Send(ctx context.Context, m *notify.Message) (notify.Sent, error) {
	return a.send(ctx, m, true)
}
