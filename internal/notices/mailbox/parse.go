package mailbox

import (
	"bytes"
	"strings"

	"github.com/emersion/go-message"
	mailmessage "github.com/emersion/go-message/mail"

	"holdfast/internal/notices"
	"holdfast/internal/outgoing/imapbox"
	"holdfast/internal/outgoing/plain"
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
	whole, err := message.Read(bytes.NewReader(raw))
	if whole == nil || err != nil && !message.IsUnknownCharset(err) {
		return item, false
	}
	head := mailmessage.Header{Header: whole.Header}
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
	item.Text = imapbox.Text(whole)
	item.Doubts = []string{vouched(head)}
	return item, item.Title != "" || item.Text != ""
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
