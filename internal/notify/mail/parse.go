package mail

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	netmail "net/mail"
	"regexp"
	"strconv"
	"strings"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-message/textproto"
	"github.com/emersion/go-smtp"

	"holdfast/internal/notify"
	"holdfast/internal/outgoing/imapbox"
	"holdfast/internal/outgoing/plain"
)

// What a mail is to us.
type sort int

const (
	nothing sort = iota
	reply        // a person answers
	report       // a mail server says what became of a message
)

// Bounds of what a person wrote that is kept.
const (
	maxLines = 5
	maxWords = 500 // bytes
	maxParts = 40  // of a report
)

// judge says what a mail is, by its fields.
func (a *answered) judge(head message.Header) sort {
	if head.Has(fieldKey) { // one of ours, sent to a mailbox that is also an address of somebody
		return nothing
	}
	if kind, params, _ := head.ContentType(); strings.EqualFold(kind, "multipart/report") {
		if strings.EqualFold(params["report-type"], "delivery-status") {
			return report
		}
		return nothing // that it was read, say
	}
	if from := sentBy(head); strings.HasPrefix(from, "mailer-daemon@") || strings.HasPrefix(from, "postmaster@") {
		return report
	}
	if automatic(head) || a.token(head) == "" {
		return nothing
	}
	return reply
}

// automatic reports whether a machine wrote it: out of office, and the like.
func automatic(head message.Header) bool {
	if by := strings.TrimSpace(head.Get("Auto-Submitted")); by != "" && !strings.EqualFold(by, "no") {
		return true
	}
	switch strings.ToLower(strings.TrimSpace(head.Get("Precedence"))) {
	case "auto_reply", "bulk", "junk", "list":
		return true
	}
	if strings.ReplaceAll(head.Get("Return-Path"), " ", "") == "<>" || head.Has("X-Autoreply") || head.Has("X-Autorespond") {
		return true
	}
	subject, err := head.Text("Subject")
	return err == nil && saysAutomatic.MatchString(subject)
}

// saysAutomatic is how those subjects begin whose mails bear no other sign.
var saysAutomatic = regexp.MustCompile(`(?i)^\s*(auto(matic)?[ -]?(reply|response)|out of (the )?office|自动回复|自動回覆|自动答复|假期回复)`)

// sentBy is the address that a mail says it is from, in small letters.
func sentBy(head message.Header) string {
	from, err := (&mail.Header{Header: head}).AddressList("From")
	if err != nil || len(from) == 0 {
		return ""
	}
	return strings.ToLower(from[0].Address)
}

var inSubject = regexp.MustCompile(`\[#([A-Za-z0-9_-]{4,64})\]`)

// token finds the token of the message that a mail answers: in the address, in
// what it refers to, in the subject.
func (a *answered) token(head message.Header) string {
	if a.Plus {
		local, domain, _ := split(a.replyTo(""))
		if local == "" {
			local, domain, _ = split(a.from)
		}
		to := regexp.MustCompile(`(?i)(?:^|[\s<,;:"])` + regexp.QuoteMeta(local) + `\+([a-z0-9_-]{4,64})@` + regexp.QuoteMeta(domain) + `(?:$|[\s>,;"])`)
		for _, field := range []string{"To", "Delivered-To", "X-Original-To", "Cc"} {
			for _, value := range head.Values(field) {
				if found := to.FindStringSubmatch(value); found != nil {
					return found[1]
				}
			}
		}
	}
	before := regexp.MustCompile(`<` + regexp.QuoteMeta(tokenLeft) + `([A-Za-z0-9_-]{4,64})@` + regexp.QuoteMeta(a.domain) + `>`)
	for _, field := range []string{"References", "In-Reply-To"} {
		if found := last(before, head.Get(field)); found != "" {
			return found
		}
	}
	subject, err := head.Text("Subject")
	if err != nil {
		subject = head.Get("Subject")
	}
	return last(inSubject, subject)
}

// last is what the last match of a text captured.
func last(form *regexp.Regexp, text string) string {
	all := form.FindAllStringSubmatch(text, -1)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1][1]
}

// idIn finds the id of one of our messages in a text; those of threads are none.
func (a *answered) idIn(text string) string {
	form := regexp.MustCompile(`([A-Za-z0-9_.-]+)\.([0-9a-f]{12})@` + regexp.QuoteMeta(a.domain))
	for _, found := range form.FindAllStringSubmatch(text, -1) {
		if found[2] != a.mark(found[1]) {
			return found[0]
		}
	}
	return ""
}

// isOf reports whether a mail is the message of a key.
func (a *answered) isOf(head message.Header, key string) bool {
	if head.Get(fieldKey) == key {
		return true
	}
	rest, ok := strings.CutPrefix(strings.Trim(head.Get("Message-Id"), "<> "), key+".")
	return ok && len(rest) == 12+1+len(a.domain) && strings.HasSuffix(rest, "@"+a.domain)
}

// event is what a mail says; ok is false where it says nothing.
func (a *answered) event(kind sort, raw []byte) (event notify.Event, ok bool) {
	defer func() { // the parser meets whatever people send
		if recover() != nil {
			event, ok = notify.Event{}, false
		}
	}()
	whole, err := message.Read(bytes.NewReader(raw))
	if whole == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
		return event, false
	}
	if kind == report {
		return a.reported(whole, raw)
	}
	head := whole.Header
	return notify.Event{
		Kind: notify.EventReply, Token: a.token(head), ID: a.idIn(head.Get("In-Reply-To") + " " + head.Get("References")),
		From: sentBy(head), Text: fresh(imapbox.Text(whole)),
	}, true
}

var quotes = regexp.MustCompile(`^(>|-{2,} ?(Original Message|Forwarded message|原始邮件|转发邮件|Original)|发件人[:：]|From:|_{8,}|--$|Sent from my |发自我的|Get Outlook)|(wrote|写道)[:：]$`)

// fresh is what a person wrote above what they answer: its first lines.
func fresh(text string) string {
	var kept []string
	for l := range strings.SplitSeq(text, "\n") {
		if quotes.MatchString(l) {
			if n := len(kept); n > 0 && (strings.HasSuffix(l, "wrote:") || strings.HasSuffix(l, "写道：")) && (strings.HasPrefix(kept[n-1], "On ") || strings.HasPrefix(kept[n-1], "在")) {
				kept = kept[:n-1] // who wrote it when was longer than a line
			}
			break
		}
		if l != "" {
			kept = append(kept, l)
		}
	}
	return plain.Cut(strings.Join(kept[:min(len(kept), maxLines)], "\n"), maxWords)
}

var errEnough = errors.New("mail: enough")

// reported reads what a mail server says of a message (RFC 3464), or what one says
// that says it in words only.
func (a *answered) reported(whole *message.Entity, raw []byte) (event notify.Event, ok bool) {
	var status, original message.Header
	told := false
	parts := 0
	_ = whole.Walk(func(_ []int, part *message.Entity, err error) error { // what was cut off is as good as its end
		if parts++; parts > maxParts {
			return errEnough
		}
		if err != nil {
			return nil //nolint:nilerr // of this part; the next may do
		}
		switch kind, _, _ := part.Header.ContentType(); strings.ToLower(kind) {
		case "message/delivery-status", "message/global-delivery-status":
			if !told {
				status, told = recipientOf(part.Body)
			}
		case "message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers":
			if read, _ := textproto.ReadHeader(bufio.NewReader(part.Body)); read.Len() > 0 && original.Len() == 0 {
				original = message.Header{Header: read}
			}
		}
		return nil
	})
	event = notify.Event{Kind: notify.EventFailed, ID: a.idIn(original.Get("Message-Id")), Token: a.token(original)}
	if event.ID == "" && original.Get(fieldKey) == "" {
		event.ID = a.idIn(string(raw))
	}
	if !told {
		event.Code = notify.FailUnknown
		return event, event.ID != ""
	}
	for _, field := range []string{"Original-Recipient", "Final-Recipient"} {
		if _, at, ok := strings.Cut(status.Get(field), ";"); ok && event.From == "" {
			if to, err := netmail.ParseAddress(strings.TrimSpace(at)); err == nil {
				event.From = to.Address
			}
		}
	}
	switch strings.ToLower(strings.TrimSpace(status.Get("Action"))) {
	case "failed":
		event.Code = codeOf(status.Get("Status"))
	case "delivered":
		event.Kind = notify.EventArrived
	default: // delayed, or handed on to whoever does not report
		return event, false
	}
	return event, event.ID != "" || event.Token != ""
}

// recipientOf is the first recipient in a report that says what was done.
func recipientOf(body io.Reader) (head message.Header, ok bool) {
	lines := bufio.NewReader(io.LimitReader(body, maxMail))
	for range maxParts {
		read, err := textproto.ReadHeader(lines)
		if read.Has("Action") {
			return message.Header{Header: read}, true
		}
		if err != nil {
			break
		}
	}
	return head, false
}

// codeOf is what a status means where a server gave up.
func codeOf(status string) string {
	var said smtp.EnhancedCode
	digits := strings.SplitN(strings.TrimSpace(status), ".", 3)
	for i := range min(len(digits), 3) {
		text, _, _ := strings.Cut(digits[i], " ")
		said[i], _ = strconv.Atoi(text)
	}
	if why := meaning(said); why != "" {
		return why
	}
	if said[0] == 5 {
		return notify.FailAddress
	}
	return notify.FailUnreachable // tried for days
}
