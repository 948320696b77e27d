package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"net/textproto"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"holdfast/internal/notify"
)

const (
	maxAttempt  = time.Minute     // of one attempt, where its context has no end before
	maxFarewell = 2 * time.Second // for QUIT, when all is done
)

// Steps of a session; what a refusal means depends on where it came.
type step int

const (
	greeting step = iota
	authenticating
	sender
	recipient
	data
)

// send makes one attempt.
func (c *channel) send(ctx context.Context, m *notify.Message, answers bool) (notify.Sent, error) {
	local, domain, ok := split(m.To)
	if !ok {
		return notify.Sent{}, &notify.Failure{Code: notify.FailAddress}
	}
	to := local + "@" + domain
	text, err := c.compose(m, to, answers, c.tools.Now())
	if err != nil {
		return notify.Sent{}, &notify.Failure{Code: notify.FailContent}
	}
	ctx, cancel := context.WithTimeout(ctx, maxAttempt)
	defer cancel()
	raw, err := c.tools.Guard.DialContext(ctx, "tcp", c.Server)
	if err != nil {
		return notify.Sent{}, failed(err, greeting)
	}
	defer raw.Close()
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	client, failure := c.begin(ctx, raw)
	if failure != nil {
		return notify.Sent{}, failure
	}
	defer client.Close()
	if failure := hand(client, c.from, to, text); failure != nil {
		return notify.Sent{}, failure
	}
	client.CommandTimeout = maxFarewell
	_ = client.Quit() // the message is the server's by now
	return notify.Sent{ID: c.messageID(m)}, nil
}

// begin makes a connection private, and says who is here.
func (c *channel) begin(ctx context.Context, raw net.Conn) (*smtp.Client, *notify.Failure) {
	var client *smtp.Client
	switch c.TLS {
	case tlsNone: // the name said loopback, and the address has to
		if at, err := netip.ParseAddrPort(raw.RemoteAddr().String()); err != nil || !at.Addr().Unmap().IsLoopback() {
			return nil, &notify.Failure{Code: notify.FailSettings, Said: "outgoing"}
		}
		client = smtp.NewClient(raw)
	case tlsImplicit:
		config, err := c.private(c.Server)
		if err != nil {
			return nil, &notify.Failure{Code: notify.FailSettings, Said: "trust"}
		}
		secured := tls.Client(raw, config)
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, failed(err, greeting)
		}
		client = smtp.NewClient(secured)
	default:
		config, err := c.private(c.Server)
		if err != nil {
			return nil, &notify.Failure{Code: notify.FailSettings, Said: "trust"}
		}
		if client, err = startTLS(raw, config); err != nil {
			return nil, failed(err, greeting)
		}
	}
	if err := client.Hello(ownName(raw)); err != nil {
		return nil, failed(err, greeting)
	}
	if c.Auth == nil {
		return client, nil
	}
	password, err := c.tools.Secret(*c.Auth)
	if err != nil {
		return nil, &notify.Failure{Code: notify.FailSettings, Said: "secret"}
	}
	var by sasl.Client
	switch {
	case client.SupportsAuth(sasl.Plain):
		by = sasl.NewPlainClient("", c.User, string(password))
	case client.SupportsAuth(sasl.Login):
		by = sasl.NewLoginClient(c.User, string(password))
	default:
		return nil, &notify.Failure{Code: notify.FailSettings, Said: "auth"}
	}
	if err := client.Auth(by); err != nil {
		return nil, failed(err, authenticating)
	}
	return client, nil
}

// errPlain is a server that does not offer to be private.
var errPlain = errors.New("mail: no STARTTLS")

// startTLS fails where the server does not offer it: the password and the message
// never go in the clear.
func startTLS(raw net.Conn, config *tls.Config) (*smtp.Client, error) {
	client, err := smtp.NewClientStartTLS(raw, config)
	if err == nil {
		return client, nil
	}
	var said *smtp.SMTPError
	var broken net.Error
	var strange textproto.ProtocolError
	if errors.As(err, &said) || errors.As(err, &broken) || errors.As(err, &strange) || ended(err) {
		return nil, err
	}
	return nil, errPlain
}

// ownName is how the program calls itself: by the address that the server sees, as
// it need not have a name.
func ownName(conn net.Conn) string {
	at, err := netip.ParseAddrPort(conn.LocalAddr().String())
	switch ip := at.Addr().Unmap().WithZone(""); {
	case err != nil:
		return "localhost"
	case ip.Is6():
		return "[IPv6:" + ip.String() + "]"
	default:
		return "[" + ip.String() + "]"
	}
}

// hand gives the message to the server.
func hand(client *smtp.Client, from, to string, text []byte) *notify.Failure {
	if err := client.Mail(from, &smtp.MailOptions{Size: int64(len(text))}); err != nil {
		return failed(err, sender)
	}
	if err := client.Rcpt(to, nil); err != nil {
		return failed(err, recipient)
	}
	w, err := client.Data()
	if err != nil {
		return failed(err, recipient)
	}
	if _, err := w.Write(text); err != nil {
		return failed(err, recipient) // without its end, the server takes nothing
	}
	if err := w.Close(); err != nil {
		return failed(err, data)
	}
	return nil
}
