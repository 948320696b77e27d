package config

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSize bounds the file: a configuration of a thousand routes is far smaller.
const maxSize = 1 << 20

// splitLines gives the lines without their ends and without a byte order mark.
func splitLines(src []byte) []string {
	text := strings.TrimPrefix(string(src), "\ufeff")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.Split(text, "\n")
}

// readSource checks the bytes and returns the lines. ok is false where reading
// on would make no sense.
func readSource(f *findings, src []byte) (lines []string, ok bool) {
	top := place{1, 1, 1}
	if len(src) > maxSize {
		f.error(top, "config.too-large", "size", len(src))
		return nil, false
	}
	if bytes.HasPrefix(src, []byte{0xff, 0xfe}) || bytes.HasPrefix(src, []byte{0xfe, 0xff}) {
		f.error(top, "config.utf16")
		return nil, false
	}
	lines = splitLines(src)
	for i, line := range lines {
		column := 0
		for at := 0; at < len(line); {
			r, size := utf8.DecodeRuneInString(line[at:])
			at += size
			column++
			here := place{i + 1, column, 1}
			switch {
			case r == utf8.RuneError && size == 1:
				f.error(here, "config.encoding")
				return lines, false // the rest of the file is likely the same
			case r == '\t':
			case unicode.IsControl(r), invisible(r):
				f.error(here, "config.character", "code", fmt.Sprintf("U+%04X", r))
			}
		}
	}
	return lines, !f.failed()
}

// invisible reports whether a character has no place in a configuration: it
// would make the file look other than it is read.
func invisible(r rune) bool {
	return unicode.Is(unicode.Cf, r) || unicode.In(r, unicode.Zl, unicode.Zp)
}

// fullWidth maps the punctuation that Chinese input methods give to what YAML
// and HTTP know.
var fullWidth = map[rune]rune{
	'：': ':', '，': ',', '、': ',', '。': '.', '；': ';', '＃': '#', '－': '-', '—': '-', '–': '-',
	'“': '"', '”': '"', '‘': '\'', '’': '\'', '＂': '"', '＇': '\'', '「': '"', '」': '"',
	'【': '[', '】': ']', '［': '[', '］': ']', '｛': '{', '｝': '}', '（': '(', '）': ')',
	'\u3000': ' ', '\u00a0': ' ', '\u2002': ' ', '\u2003': ' ', '\u2009': ' ', '\u202f': ' ',
}

// plain returns the ASCII character meant by a full-width one.
func plain(r rune) (rune, bool) {
	if a, ok := fullWidth[r]; ok {
		return a, true
	}
	if r > 0xff00 && r < 0xff5f { // the block of full-width ASCII
		return r - 0xff00 + ' ', true
	}
	return r, false
}

// wide returns the offset of the first full-width character of text.
func wide(text string) (offset int, found, meant rune, ok bool) {
	for _, r := range text {
		if a, is := plain(r); is {
			return offset, r, a, true
		}
		offset++
	}
	return 0, 0, 0, false
}

// reportWide names a full-width character and the right one.
func reportWide(f *findings, at place, found, meant rune) {
	id := "config.full-width"
	if meant == ' ' {
		id = "config.full-width-space"
	}
	if last := len(f.problems) - 1; last >= 0 && id == "config.full-width-space" {
		p := &f.problems[last]
		if p.ID == id && p.Line == at.line && p.Column+p.Length == at.column {
			p.Length++ // one run of them, one problem
			return
		}
	}
	f.error(at, id, "found", string(found), "code", fmt.Sprintf("U+%04X", found), "right", string(meant))
}
