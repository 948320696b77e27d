// Package mailbox reads the mails of a provider from an IMAP mailbox.
//
// The folder is opened read-only (EXAMINE) and mails are fetched without being
// marked as read: other people and programs may use the same mailbox. Where
// reading goes on is remembered as the folder's UIDVALIDITY and the last UID.
// The connection is TLS on port 993 and STARTTLS on any other; a server that
// offers neither is not spoken to.
//
// Who sent a mail is what the mail says. A mail server in between may have
// checked a signature (DKIM) and may say so in a header, which others can write
// too. So each mail bears a doubt, and a person judges.
package mailbox

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"holdfast/internal/notices"
	"holdfast/internal/outgoing/fetch"
)

// Bounds of one look.
const (
	maxTime  = 2 * time.Minute
	maxBytes = 32 << 20 // of a whole session
	maxMail  = 256 << 10
	maxMails = 50  // whose texts are fetched
	maxHeads = 500 // whose senders are looked at
	back     = 14 * 24 * time.Hour
)

type source struct {
	server, user, folder string
	from                 []string
	auth                 notices.Secret
	config               *tls.Config
	dial                 func(ctx context.Context, network, address string) (net.Conn, error)
	now                  func() time.Time
}

// New reads a spec's Folder on its Server, of the senders From.
func New(s *notices.Spec, tools *notices.Tools) (notices.Source, error) {
	host, _, err := net.SplitHostPort(s.Server)
	if err != nil {
		return nil, err
	}
	config, err := tools.TLS(s, host)
	if err != nil {
		return nil, err
	}
	return &source{server: s.Server, user: s.User, folder: s.Folder, from: s.From, auth: s.Auth, config: config, dial: tools.Dial(s), now: tools.Now}, nil
}

// place is where reading goes on.
type place struct {
	Validity uint32   `json:"validity"`
	Last     imap.UID `json:"last"`
}

func (s *source) Read(ctx context.Context, from json.RawMessage) (look notices.Look, err error) {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	var was place
	_ = json.Unmarshal(from, &was) // of another form: begin anew
	client, done, err := s.open(ctx)
	if err != nil {
		return look, err
	}
	defer done()
	selected, err := client.Select(s.folder, &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil {
		return look, failure(ctx, "folder", err)
	}
	if selected.UIDValidity != was.Validity {
		was = place{Validity: selected.UIDValidity}
	}
	uids, err := s.newer(client, was)
	if err != nil {
		return look, failure(ctx, "mailbox", err)
	}
	now := was
	if len(uids) > 0 {
		now.Last = uids[len(uids)-1]
		wanted, last, err := s.wanted(client, uids)
		if err != nil {
			return look, failure(ctx, "mailbox", err)
		}
		if last != 0 {
			now.Last = last
		}
		for _, m := range wanted {
			item, ok := Parse(m.raw, m.uid(now.Validity))
			if !ok {
				look.Left++
				continue
			}
			look.Items = append(look.Items, item)
		}
	}
	look.Next, err = json.Marshal(now)
	return look, err
}

// open connects and logs in.
func (s *source) open(ctx context.Context) (client *imapclient.Client, done func(), err error) {
	if s.auth == nil {
		return nil, nil, fetch.Fail(fetch.Secret, nil)
	}
	password, err := s.auth()
	if err != nil {
		return nil, nil, fetch.Fail(fetch.Secret, err)
	}
	raw, err := s.dial(ctx, "tcp", s.server)
	if err != nil {
		return nil, nil, fetch.Network(err)
	}
	conn := net.Conn(&bounded{Conn: raw, left: maxBytes})
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	fail := func(err error) (*imapclient.Client, func(), error) {
		stop()
		_ = raw.Close()
		return nil, nil, err
	}
	if _, port, _ := net.SplitHostPort(s.server); port == "993" {
		secured := tls.Client(conn, s.config)
		if err := secured.HandshakeContext(ctx); err != nil {
			return fail(fetch.Network(err))
		}
		client = imapclient.New(secured, nil)
	} else if client, err = imapclient.NewStartTLS(conn, &imapclient.Options{TLSConfig: s.config}); err != nil {
		return fail(failure(ctx, "starttls", err))
	}
	if err := client.Login(s.user, password).Wait(); err != nil {
		_ = client.Close()
		return fail(failure(ctx, "login", err))
	}
	return client, func() {
		_ = client.Logout().Wait()
		_ = client.Close()
		stop()
	}, nil
}

// newer lists the mails behind the place, in order.
func (s *source) newer(client *imapclient.Client, was place) ([]imap.UID, error) {
	criteria := &imap.SearchCriteria{}
	if was.Last == 0 {
		criteria.Since = s.now().Add(-back)
	} else {
		criteria.UID = []imap.UIDSet{{imap.UIDRange{Start: was.Last + 1}}}
	}
	data, err := client.UIDSearch(criteria, nil).Wait()
	if err != nil {
		return nil, err
	}
	uids := slices.DeleteFunc(data.AllUIDs(), func(u imap.UID) bool { return u <= was.Last }) // "n:*" always has one
	slices.Sort(uids)
	return uids[:min(len(uids), maxHeads)], nil
}

type mail struct {
	id  imap.UID
	raw []byte
}

func (m mail) uid(validity uint32) string {
	return strconv.FormatUint(uint64(validity), 10) + "/" + strconv.FormatUint(uint64(m.id), 10)
}

// wanted fetches the mails of the senders that count; last is the last one that
// was looked at, where not all were.
func (s *source) wanted(client *imapclient.Client, uids []imap.UID) (mails []mail, last imap.UID, err error) {
	heads, err := client.Fetch(imap.UIDSetNum(uids...), &imap.FetchOptions{Envelope: true, UID: true}).Collect()
	if err != nil {
		return nil, 0, err
	}
	slices.SortFunc(heads, func(a, b *imapclient.FetchMessageBuffer) int { return int(int64(a.UID) - int64(b.UID)) })
	var chosen []imap.UID
	for _, h := range heads {
		if h.Envelope == nil || !s.counts(h.Envelope.From) {
			continue
		}
		if len(chosen) == maxMails {
			last = chosen[maxMails-1]
			break
		}
		chosen = append(chosen, h.UID)
	}
	section := &imap.FetchItemBodySection{Peek: true, Partial: &imap.SectionPartial{Size: maxMail}}
	for _, uid := range chosen { // one by one: what is held at a time is one mail
		got, err := client.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{section}}).Collect()
		if err != nil {
			return nil, 0, err
		}
		for _, m := range got {
			if m.UID == uid && len(m.BodySection) > 0 {
				raw := m.BodySection[0].Bytes
				mails = append(mails, mail{uid, raw[:min(len(raw), maxMail)]})
			}
		}
	}
	return mails, last, nil
}

// counts reports whether a mail is of one of the senders: an address, or all of
// a domain.
func (s *source) counts(from []imap.Address) bool {
	if len(s.from) == 0 {
		return true
	}
	return len(from) > 0 && slices.ContainsFunc(s.from, func(wanted string) bool { return Sender(from[0].Mailbox+"@"+from[0].Host, wanted) })
}

// Sender reports whether an address is the one wanted, or of the domain wanted.
func Sender(address, wanted string) bool {
	address, wanted = strings.ToLower(address), strings.ToLower(wanted)
	if i := strings.IndexByte(wanted, '@'); i > 0 {
		return address == wanted
	}
	return strings.HasSuffix(address, "@"+strings.TrimPrefix(wanted, "@"))
}

// failure says at what the server failed, and not what it said.
func failure(ctx context.Context, at string, err error) error {
	if ctx.Err() != nil {
		return fetch.Fail(fetch.Timeout, err)
	}
	var said *imap.Error
	if errors.As(err, &said) {
		return fetch.Fail("mail-"+at, err)
	}
	return fetch.Network(err)
}

// bounded ends a session that sends more than agreed.
type bounded struct {
	net.Conn
	left int64
}

var errTooMuch = errors.New("mailbox: the server sends too much")

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
