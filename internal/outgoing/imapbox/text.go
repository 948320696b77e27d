package imapbox

import (
	"errors"
	"io"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // GBK, GB 18030 and what else mails are written in

	"holdfast/internal/outgoing/plain"
)

// Bounds of one mail.
const (
	maxParts = 40
	maxDepth = 8        // of parts in parts, each of which makes reading those within it slower
	maxText  = 64 << 10 // bytes of one part
)

// Text is what a mail says: its first plain part, else its first HTML part.
func Text(mail *message.Entity) string {
	t := texts{left: maxParts}
	t.read(mail, 0)
	if t.plain != "" {
		return t.plain
	}
	return t.written
}

// texts are what was found so far.
type texts struct {
	plain, written string
	left           int // parts that may still be looked at
}

func (t *texts) read(e *message.Entity, depth int) {
	parts := e.MultipartReader()
	if parts == nil {
		t.take(e)
		return
	}
	for depth < maxDepth && t.left > 0 && t.plain == "" {
		part, err := parts.NextPart()
		if part == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
			return // its end, or cut off
		}
		t.left--
		t.read(part, depth+1)
	}
}

// take reads a part that is none of parts.
func (t *texts) take(e *message.Entity) {
	kind, _, err := e.Header.ContentType()
	if err != nil && kind == "" {
		kind = "text/plain"
	}
	if kind != "text/plain" && kind != "text/html" {
		return
	}
	if shown, _, _ := e.Header.ContentDisposition(); shown == "attachment" {
		return
	}
	body, err := io.ReadAll(io.LimitReader(e.Body, maxText))
	if err != nil && len(body) == 0 && !errors.Is(err, io.ErrUnexpectedEOF) {
		return
	}
	if kind == "text/plain" {
		t.plain = plain.Tidy(string(body))
	} else if t.written == "" {
		t.written = plain.FromHTML(string(body))
	}
}
