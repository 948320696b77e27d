package mail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"html"
	"io"
	"mime"
	"net/mail"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/emersion/go-message"

	"holdfast/internal/catalogue"
	"holdfast/internal/notify"
)

// Fields of our own.
const (
	fieldKey    = "Holdfast-Message" // the delivery's key, for servers that give other names to messages
	fieldRepeat = "Holdfast-Repeat"  // it may have arrived before
)

// compose writes a message as it is sent. With answers, its answers are to be
// known again.
func (c *channel) compose(m *notify.Message, to string, answers bool, now time.Time) ([]byte, error) {
	lang := catalogue.Lang(m.Language)
	token := ""
	if answers && tokenForm.MatchString(m.Reply) {
		token = m.Reply
	}
	subject := line(m.Subject)
	if subject == "" {
		first, _, _ := strings.Cut(m.Text, "\n")
		subject = line(first)
	}
	if token != "" && !c.Plus {
		subject += " [#" + token + "]"
	}
	text := body(m, token != "", lang)

	// Fields are set from the last to the first.
	var head message.Header
	if m.Language != "" {
		head.Set("Content-Language", line(m.Language))
	}
	if m.Repeat {
		head.Set(fieldRepeat, "yes")
	}
	head.Set(fieldKey, leftOf(m.Key))
	if m.Urgent {
		head.Set("X-Priority", "1")
		head.Set("Importance", "high")
	} else {
		head.Set("Precedence", "bulk")
	}
	head.Set("X-Auto-Response-Suppress", "OOF, AutoReply")
	head.Set("Auto-Submitted", "auto-generated")
	var before []string
	if m.Thread != "" {
		thread := "<" + c.threadID(m.Thread) + ">"
		head.Set("In-Reply-To", thread)
		before = append(before, thread)
	}
	if token != "" {
		before = append(before, "<"+tokenLeft+token+"@"+c.domain+">")
	}
	if len(before) > 0 {
		head.Set("References", strings.Join(before, " "))
	}
	head.Set("Message-Id", "<"+c.messageID(m)+">")
	head.Set("Date", now.Format(time.RFC1123Z))
	head.Set("Subject", mime.BEncoding.Encode("utf-8", subject))
	if back := c.replyTo(token); back != "" {
		head.Set("Reply-To", address(c.Name, back))
	}
	head.Set("To", address(m.Name, to))
	head.Set("From", address(c.Name, c.from))
	head.SetContentType("multipart/alternative", nil)
	head.Set("MIME-Version", "1.0")

	var out bytes.Buffer
	w, err := message.CreateWriter(&out, head)
	if err != nil {
		return nil, err
	}
	for _, part := range []struct{ kind, text string }{{"text/plain", text}, {"text/html", page(text, m.Link, lang)}} {
		if err := write(w, part.kind, part.text); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func write(w *message.Writer, kind, text string) error {
	var head message.Header
	head.Set("Content-Transfer-Encoding", encoding(text))
	head.SetContentType(kind, map[string]string{"charset": "utf-8"})
	part, err := w.CreatePart(head)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(part, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		return err
	}
	return part.Close()
}

// encoding is the shorter one of a text.
func encoding(text string) string {
	if utf8.RuneCountInString(text)*5 < len(text)*4 {
		return "base64"
	}
	return "quoted-printable"
}

// body is the plain text: what is told, and how it is answered.
func body(m *notify.Message, answer bool, lang catalogue.Lang) string {
	text := strings.TrimRight(clean(m.Text), "\n") + "\n"
	if m.Link != "" && !strings.Contains(text, m.Link) {
		text += "\n" + m.Link + "\n"
	}
	switch {
	case answer && m.Urgent:
		text += "\n" + catalogue.Text(lang, "notify.mail.acknowledge", nil) + "\n"
	case answer:
		text += "\n" + catalogue.Text(lang, "notify.mail.answer", nil) + "\n"
	}
	return text
}

// page is the text for those who read HTML.
func page(text, link string, lang catalogue.Lang) string {
	var b strings.Builder
	b.WriteString("<!doctype html>\n<html lang=\"" + html.EscapeString(string(lang)) + "\">\n<body style=\"font: 16px/1.5 sans-serif\">\n")
	u, err := url.Parse(link)
	linked := err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		said := html.EscapeString(paragraph)
		if linked {
			safe := html.EscapeString(link)
			said = strings.ReplaceAll(said, safe, `<a href="`+safe+`">`+safe+"</a>")
		}
		b.WriteString("<p>" + strings.ReplaceAll(said, "\n", "<br>\n") + "</p>\n")
	}
	b.WriteString("</body>\n</html>\n")
	return b.String()
}

// clean takes control characters out of a text of several lines.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
}

// line makes one line of a text, so that no field of the head can begin in it.
func line(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "�"), func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }), " ")
}

func address(name, at string) string {
	return (&mail.Address{Name: line(name), Address: at}).String()
}

// replyTo is where answers go: "" where that is where messages come from.
func (c *channel) replyTo(token string) string {
	local, domain, ok := split(c.ReplyTo)
	if !ok {
		if token == "" || !c.Plus {
			return ""
		}
		local, domain, _ = split(c.from)
	}
	if token != "" && c.Plus {
		local += "+" + token
	}
	return local + "@" + domain
}

// tokenLeft is what stands before a token in the id of a message that never was,
// of which each message says that it belongs to it.
const tokenLeft = "answer."

var (
	tokenForm = regexp.MustCompile(`^[A-Za-z0-9_-]{4,64}$`)
	notInLeft = regexp.MustCompile(`[^A-Za-z0-9_-]+`)
)

// leftOf makes the left part of a message's id of a key or thread.
func leftOf(name string) string {
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == '.' })
	for i := range parts {
		parts[i] = notInLeft.ReplaceAllString(parts[i], "-")
	}
	return strings.Join(parts, ".")
}

// messageID is the same at each attempt. What tells it from messages of other
// nodes under the same key is where this one is reached, and to whom it goes.
func (c *channel) messageID(m *notify.Message) string {
	return leftOf(m.Key) + "." + c.mark(m.Key, m.To) + "@" + c.domain
}

func (c *channel) threadID(thread string) string {
	left := leftOf(thread)
	return left + "." + c.mark(left) + "@" + c.domain
}

func (c *channel) mark(of ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(append(of, c.tools.ID, c.tools.Hook), "\x00")))
	return hex.EncodeToString(sum[:6])
}
