package httpsend

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	"holdfast/internal/notify"
)

// Size measures a text as a provider does. The size of two texts is that of both
// together.
type Size func(text string) int

// Sizes that providers bound.
var (
	Bytes Size = func(text string) int { return len(text) }
	Runes Size = utf8.RuneCountInString
	Units Size = func(text string) int { return len(utf16.Encode([]rune(text))) }
)

// Joiner is not seen, and parts what would be read together.
const Joiner = "\u2060"

// Say is a message as one text: the subject, the text, and the link on a line of its
// own. What is longer than most loses the end of its text, never the link.
func Say(m *notify.Message, most int, size Size) string {
	head := strings.TrimSpace(Plain(m.Text))
	if subject := strings.TrimSpace(Plain(m.Subject)); subject != "" && !strings.HasPrefix(head, subject) {
		head = strings.TrimSpace(subject + "\n" + head)
	}
	tail := ""
	if m.Link != "" && (!strings.Contains(head, m.Link) || size(head) > most) {
		tail = "\n" + m.Link
	}
	return strings.TrimSpace(Cut(head, most-size(tail), size) + tail)
}

// Cut is a text of a size, shortened between characters as people see them where it
// is longer.
func Cut(text string, most int, size Size) string {
	if size(text) <= most {
		return text
	}
	left := most - size("…")
	end, state := 0, -1
	for rest := text; rest != ""; {
		var one string
		one, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if left -= size(one); left < 0 {
			break
		}
		end += len(one)
	}
	if most < size("…") {
		return ""
	}
	return strings.TrimRightFunc(text[:end], unicode.IsSpace) + "…"
}

// Plain is a text without what can't be shown: control characters, broken UTF-8,
// and marks that turn the direction of what follows.
func Plain(text string) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\r\n", "\n"), "\ufffd")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\r', r == '\u0085', r == '\u2028', r == '\u2029':
			return '\n'
		case r == '\t':
			return ' '
		case unicode.IsControl(r), r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
			return -1
		}
		return r
	}, text)
}

// Part parts each mark from what follows, unseen, so that it begins nothing that
// the provider would read: a mention, a tag.
func Part(text, mark string) string { return strings.ReplaceAll(text, mark, mark+Joiner) }
