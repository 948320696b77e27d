package extract

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// maxText is how much of a text is read.
const maxText = 16 << 10

// fold writes a text as the patterns expect it: full-width letters, digits and
// signs as ASCII, all dashes and tildes as one, spaces as spaces.
func fold(text string) string {
	if len(text) > maxText {
		text = text[:maxText]
	}
	text = strings.ToValidUTF8(text, " ")
	return strings.Map(func(r rune) rune {
		switch r {
		case '–', '—', '―', '−', '‐', '‑', '‒', '─', '～', '〜', '∼', '~':
			return '-'
		case '。':
			return '.'
		case '、':
			return ','
		case '【', '「', '〔':
			return '('
		case '】', '」', '〕':
			return ')'
		case '\n':
			return '\n'
		case '\u200b', '\ufeff', '\u200e', '\u200f':
			return -1
		}
		if narrow := width.LookupRune(r).Narrow(); narrow != 0 && narrow < 0x80 {
			r = narrow
		}
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// han reports whether a text is written in Chinese, at least in part.
func han(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) }) >= 0
}
