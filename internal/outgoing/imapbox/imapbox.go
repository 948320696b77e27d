// Package imapbox reads a folder of an IMAP mailbox that other people and programs
// may use as well: it is opened read-only (EXAMINE), and no mail is marked as read.
//
// The connection is TLS on port 993 and STARTTLS on any other; a server that
// offers neither is not spoken to. What goes wrong is a *fetch.Failure, and bears
// nothing of what the server said.
package imapbox

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"holdfast/internal/outgoing/fetch"
)

// maxBytes bounds what is read in one session.
const maxBytes = 32 << 20

// Box is a folder of a mailbox.
type Box struct {
	Server   string // host:port
	User     string
	Folder   string
	Password func() (string, error) // fetched at each use; nil: none can be
	TLS      *tls.Config            // with the server's name
	Dial     func(ctx context.Context, network, address string) (net.Conn, error)
}

// Place is where reading goes on: the folder's UIDVALIDITY and the last UID that
// was read.
type Place struct {
	Validity uint32   `json:"validity"`
	Last     imap.UID `json:"last"`
}

// Session is a folder while it is open.
type Session struct {
	client   *imapclient.Client
	ctx      context.Context // of the session, which ends with it
	validity uint32
	done     func()
}

// Open connects, logs in and opens the folder. The session ends with the context,
// or when it is closed.
func (b *Box) Open(ctx context.Context) (*Session, error) {
	if b.Password == nil {
		return nil, fetch.Fail(fetch.Secret, nil)
	}
	password, err := b.Password()
	if err != nil {
		return nil, fetch.Fail(fetch.Secret, err)
	}
	raw, err := b.Dial(ctx, "tcp", b.Server)
	if err != nil {
		return nil, fetch.Network(err)
	}
	s := &Session{ctx: ctx}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	s.done = func() {
		stop()
		_ = raw.Close()
	}
	if err := s.begin(b, &bounded{Conn: raw, left: maxBytes}, password); err != nil {
		if s.client != nil {
			_ = s.client.Close()
		}
		s.done()
		return nil, err
	}
	return s, nil
}

func (s *Session) begin(b *Box, conn net.Conn, password string) (err error) {
	if _, port, _ := net.SplitHostPort(b.Server); port == "993" {
		secured := tls.Client(conn, b.TLS)
		if err := secured.HandshakeContext(s.ctx); err != nil {
			return fetch.Network(err)
		}
		s.client = imapclient.New(secured, nil)
	} else if s.client, err = imapclient.NewStartTLS(conn, &imapclient.Options{TLSConfig: b.TLS}); err != nil {
		return s.Failure("starttls", err)
	}
	if err := s.client.Login(b.User, password).Wait(); err != nil {
		return s.Failure("login", err)
	}
	if s.client.Caps().Has(imap.CapID) { // some servers open no folder to who has not said what it is
		if _, err := s.client.ID(&imap.IDData{Name: "Holdfast"}).Wait(); err != nil {
			return s.Failure("login", err)
		}
	}
	selected, err := s.client.Select(b.Folder, &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil {
		return s.Failure("folder", err)
	}
	s.validity = selected.UIDValidity
	return nil
}

// Close logs out.
func (s *Session) Close() {
	_ = s.client.Logout().Wait()
	_ = s.client.Close()
	s.done()
}

// From is a place in this folder: the one given, or the beginning where that was
// of another, such as one that was made anew.
func (s *Session) From(was Place) Place {
	if was.Validity != s.validity {
		return Place{Validity: s.validity}
	}
	return was
}

// Newer lists the mails behind a place, in order, and no more than so many; from
// the beginning those that came since a time.
func (s *Session) Newer(was Place, since time.Time, most int) ([]imap.UID, error) {
	criteria := &imap.SearchCriteria{}
	if was.Last == 0 {
		criteria.Since = since
	} else {
		criteria.UID = []imap.UIDSet{{imap.UIDRange{Start: was.Last + 1}}}
	}
	data, err := s.client.UIDSearch(criteria, nil).Wait()
	if err != nil {
		return nil, s.Failure("mailbox", err)
	}
	uids := slices.DeleteFunc(data.AllUIDs(), func(u imap.UID) bool { return u <= was.Last }) // "n:*" always has one
	slices.Sort(uids)
	return uids[:min(len(uids), most)], nil
}

// Heads fetches what options ask for of mails, in their order.
func (s *Session) Heads(uids []imap.UID, options *imap.FetchOptions) ([]*imapclient.FetchMessageBuffer, error) {
	options.UID = true
	heads, err := s.client.Fetch(imap.UIDSetNum(uids...), options).Collect()
	if err != nil {
		return nil, s.Failure("mailbox", err)
	}
	slices.SortFunc(heads, func(a, b *imapclient.FetchMessageBuffer) int { return int(int64(a.UID) - int64(b.UID)) })
	return heads, nil
}

// Mail fetches the beginning of a mail; nil where it is gone.
func (s *Session) Mail(uid imap.UID, most int64) ([]byte, error) {
	section := &imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Size: most}}
	got, err := s.client.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	if err != nil {
		return nil, s.Failure("mailbox", err)
	}
	for _, m := range got {
		if m.UID == uid && len(m.BodySection) > 0 {
			raw := m.BodySection[0].Bytes
			return raw[:min(int64(len(raw)), most)], nil
		}
	}
	return nil, nil
}

// Failure says at what the server failed, and not what it said.
func (s *Session) Failure(at string, err error) error {
	if s.ctx.Err() != nil {
		return fetch.Fail(fetch.Timeout, err)
	}
	if _, said := errors.AsType[*imap.Error](err); said {
		return fetch.Fail("mail-"+at, err)
	}
	return fetch.Network(err)
}

// bounded ends a session that sends more than agreed.
type bounded struct {
	net.Conn
	left int64
}

var errTooMuch = errors.New("imapbox: the server sends too much")

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooMuch
	}
	n, err := b.Conn.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if errors.Is(err, io.EOF) && n > 0 {
		err = nil
	}
	return n, err
}
