package mailbox

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // GBK, GB 18030 and what else mails are written in
	mailmessage "github.com/emersion/go-message/mail"

	"holdfast/internal/notices"
	"holdfast/internal/notices/plain"
)

// Bounds of one mail.
const (
	maxParts = 40
	maxText  = 64 << 10 // bytes of one part
)

// Doubts about senders; messages of the catalogue under "notice.doubt.".
const (
	DoubtSender     = "sender"      // nobody vouches for the sender
	DoubtSenderSaid = "sender-said" // a header says that a signature was checked
)

// Parse reads a mail, cut off or not; id names it where it has no name itself.
func Parse(raw []byte, id string) (item notices.Item, ok bool) {
	defer func() { // the parser meets whatever people send
		if recover() != nil {
			item, ok = notices.Item{}, false
		}
	}()
	reader, err := mailmessage.CreateReader(bytes.NewReader(raw))
	if err != nil && !message.IsUnknownCharset(err) {
		return item, false
	}
	head := reader.Header
	subject, err := head.Subject()
	if err != nil {
		subject = head.Get("Subject")
	}
	item.Title = plain.Line(subject, 300)
	item.Key = "mail:" + id
	if name, err := head.MessageID(); err == nil && name != "" {
		item.Key = "mail:" + plain.Line(name, 200)
	}
	if at, err := head.Date(); err == nil && !at.IsZero() {
		item.Written = at.UTC()
	}
	item.Text = text(reader)
	item.Doubts = []string{vouched(head)}
	return item, item.Title != "" || item.Text != ""
}

// text is what a mail says: its first plain part, else its first HTML part.
func text(reader *mailmessage.Reader) string {
	var written string
	for range maxParts {
		part, err := reader.NextPart()
		if err != nil && !message.IsUnknownCharset(err) {
			break // its end, or cut off
		}
		inline, is := part.Header.(*mailmessage.InlineHeader)
		if !is {
			continue
		}
		kind, _, err := inline.ContentType()
		if err != nil && kind == "" {
			kind = "text/plain"
		}
		if kind != "text/plain" && kind != "text/html" {
			continue
		}
		body, err := io.ReadAll(io.LimitReader(part.Body, maxText))
		if err != nil && len(body) == 0 && !errors.Is(err, io.ErrUnexpectedEOF) {
			continue
		}
		if kind == "text/plain" {
			if text := plain.Tidy(string(body)); text != "" {
				return text
			}
		} else if written == "" {
			written = plain.FromHTML(string(body))
		}
	}
	return written
}

// vouched says how far the sender is to be believed.
func vouched(head mailmessage.Header) string {
	from, err := head.AddressList("From")
	if err != nil || len(from) != 1 {
		return DoubtSender
	}
	_, domain, _ := strings.Cut(strings.ToLower(from[0].Address), "@")
	results := strings.ToLower(head.Get("Authentication-Results"))
	for clause := range strings.SplitSeq(results, ";") {
		fields := strings.Fields(clause)
		if len(fields) == 0 || fields[0] != "dkim=pass" {
			continue
		}
		for _, f := range fields[1:] {
			_, signer, named := strings.Cut(f, "header.d=")
			if !named {
				_, signer, named = strings.Cut(f, "header.i=@")
			}
			if named && signer != "" && (signer == domain || strings.HasSuffix(domain, "."+signer)) {
				return DoubtSenderSaid
			}
		}
	}
	return DoubtSender
}
