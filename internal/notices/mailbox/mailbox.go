// Package mailbox reads the mails of a provider from an IMAP mailbox.
//
// The folder is only read (package imapbox). Where reading goes on is remembered
// as the folder's UIDVALIDITY and the last UID.
//
// Who sent a mail is what the mail says. A mail server in between may have
// checked a signature (DKIM) and may say so in a header, which others can write
// too. So each mail bears a doubt, and a person judges.
package mailbox

import (
	"context"
	"encoding/json"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"holdfast/internal/notices"
	"holdfast/internal/outgoing/imapbox"
)

// Bounds of one look.
const (
	maxTime  = 2 * time.Minute
	maxMail  = 256 << 10
	maxMails = 50  // whose texts are fetched
	maxHeads = 500 // whose senders are looked at
	back     = 14 * 24 * time.Hour
)

type source struct {
	box  imapbox.Box
	from []string
	now  func() time.Time
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
	box := imapbox.Box{Server: s.Server, User: s.User, Folder: s.Folder, Password: s.Auth, TLS: config, Dial: tools.Dial(s)}
	return &source{box: box, from: s.From, now: tools.Now}, nil
}

func (s *source) Read(ctx context.Context, from json.RawMessage) (look notices.Look, err error) {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	var was imapbox.Place
	_ = json.Unmarshal(from, &was) // of another form: begin anew
	session, err := s.box.Open(ctx)
	if err != nil {
		return look, err
	}
	defer session.Close()
	now := session.From(was)
	uids, err := session.Newer(now, s.now().Add(-back), maxHeads)
	if err != nil {
		return look, err
	}
	if len(uids) > 0 {
		now.Last = uids[len(uids)-1]
		wanted, last, err := s.wanted(session, uids)
		if err != nil {
			return look, err
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

type mail struct {
	id  imap.UID
	raw []byte
}

func (m mail) uid(validity uint32) string {
	return strconv.FormatUint(uint64(validity), 10) + "/" + strconv.FormatUint(uint64(m.id), 10)
}

// wanted fetches the mails of the senders that count; last is the last one that
// was looked at, where not all were.
func (s *source) wanted(session *imapbox.Session, uids []imap.UID) (mails []mail, last imap.UID, err error) {
	heads, err := session.Heads(uids, &imap.FetchOptions{Envelope: true})
	if err != nil {
		return nil, 0, err
	}
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
	for _, uid := range chosen { // one by one: what is held at a time is one mail
		raw, err := session.Mail(uid, maxMail)
		if err != nil {
			return nil, 0, err
		}
		if raw != nil {
			mails = append(mails, mail{uid, raw})
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
