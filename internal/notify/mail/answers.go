package mail

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-message"
	"github.com/emersion/go-message/textproto"

	"holdfast/internal/notify"
	"holdfast/internal/outgoing/fetch"
	"holdfast/internal/outgoing/imapbox"
)

// Bounds of one look into the mailbox.
const (
	maxLook  = time.Minute
	maxHeads = 500      // whose fields are looked at
	maxMails = 50       // that are read
	maxMail  = 64 << 10 // of one
	back     = 24 * time.Hour
	backRead = 48 * time.Hour // days of mailboxes have time zones
)

// heads asks for the fields by which a mail is judged.
func heads() *imap.FetchOptions {
	return &imap.FetchOptions{InternalDate: true, BodySection: []*imap.FetchItemBodySection{{
		Specifier: imap.PartSpecifierHeader, Peek: true, HeaderFields: []string{
			"From", "To", "Cc", "Delivered-To", "X-Original-To", "Subject", "Message-ID", "In-Reply-To", "References", "Return-Path", "Content-Type",
			"Auto-Submitted", "X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress", "Precedence", fieldKey,
		},
	}}}
}

// headOf reads what heads asked for; ok is false where it can't be read.
func headOf(m *imapclient.FetchMessageBuffer) (head message.Header, ok bool) {
	if len(m.BodySection) == 0 {
		return head, false
	}
	read, err := textproto.ReadHeader(bufio.NewReader(bytes.NewReader(append(bytes.TrimRight(m.BodySection[0].Bytes, "\r\n"), "\r\n\r\n"...))))
	return message.Header{Header: read}, err == nil
}

// Poll implements notify.Poller.
func (a *answered) Poll(ctx context.Context, state []byte) (events []notify.Event, next []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, maxLook)
	defer cancel()
	var was imapbox.Place
	_ = json.Unmarshal(state, &was) // none, or of another form: begin anew
	session, err := a.enter(ctx)
	if err != nil {
		return nil, state, err
	}
	defer session.Close()
	place := session.From(was)
	uids, err := session.Newer(place, a.tools.Now().Add(-back), maxHeads)
	if err != nil {
		return nil, state, looked(err)
	}
	if len(uids) > 0 {
		if events, place.Last, err = a.read(session, uids); err != nil {
			return nil, state, looked(err)
		}
	}
	next, err = json.Marshal(place)
	return events, next, err
}

// read makes events of those mails that are answers; last is the last mail that
// was looked at.
func (a *answered) read(session *imapbox.Session, uids []imap.UID) (events []notify.Event, last imap.UID, err error) {
	found, err := session.Heads(uids, heads())
	if err != nil {
		return nil, 0, err
	}
	read := 0
	for _, m := range found {
		head, ok := headOf(m)
		if !ok {
			continue
		}
		kind := a.judge(head)
		if kind == nothing {
			continue
		}
		if read == maxMails {
			return events, last, nil
		}
		read++
		raw, err := session.Mail(m.UID, maxMail)
		if err != nil {
			return nil, 0, err
		}
		if event, ok := a.event(kind, raw); ok {
			event.At = m.InternalDate.UTC()
			events = append(events, event)
		}
		last = m.UID
	}
	return events, uids[len(uids)-1], nil
}

// Read implements notify.Reader: the newest mails are looked through, as not every
// server finds a mail by its id, and some give mails ids of their own.
func (a *answered) Read(ctx context.Context, key string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, maxLook)
	defer cancel()
	session, err := a.enter(ctx)
	if err != nil {
		return false, err
	}
	defer session.Close()
	uids, err := session.Newer(session.From(imapbox.Place{}), a.tools.Now().Add(-backRead), math.MaxInt)
	if err != nil {
		return false, looked(err)
	}
	uids = uids[max(0, len(uids)-maxHeads):]
	if len(uids) == 0 {
		return false, nil
	}
	found, err := session.Heads(uids, heads())
	if err != nil {
		return false, looked(err)
	}
	for _, m := range found {
		if head, ok := headOf(m); ok && a.isOf(head, leftOf(key)) {
			return true, nil
		}
	}
	return false, nil
}

// enter opens the mailbox.
func (a *answered) enter(ctx context.Context) (*imapbox.Session, error) {
	config, err := a.private(a.box.Server)
	if err != nil {
		return nil, &notify.Failure{Code: notify.FailSettings, Said: "trust"}
	}
	box := a.box
	box.TLS = config
	session, err := box.Open(ctx)
	if err != nil {
		return nil, looked(err)
	}
	return session, nil
}

// looked is what a failure to look into the mailbox means.
func looked(err error) error {
	f := &notify.Failure{Code: notify.FailUnreachable, Retry: true}
	why, ok := errors.AsType[*fetch.Failure](err)
	if !ok {
		return f
	}
	switch why.Why {
	case fetch.Secret, fetch.Certificate, fetch.Refused, "mail-starttls", "mail-folder":
		return &notify.Failure{Code: notify.FailSettings, Said: why.Why}
	case "mail-login":
		return &notify.Failure{Code: notify.FailRefused}
	case "mail-mailbox":
		return &notify.Failure{Code: notify.FailProvider, Retry: true}
	}
	return f
}
