package yamldoc

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxSize bounds the file: a configuration of a thousand routes is far smaller.
const MaxSize = 1 << 20

// SplitLines gives the lines without their ends and without a byte order mark.
func SplitLines(src []byte) []string {
	text := strings.TrimPrefix(string(src), "\ufeff")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.Split(text, "\n")
}

// readSource checks the bytes and returns the lines. ok is false where reading
// on would make no sense.
func readSource(f *Findings, src []byte) (lines []string, ok bool) {
	top := Place{1, 1, 1}
	if len(src) > MaxSize {
		f.Error(top, "config.too-large", "size", len(src))
		return nil, false
	}
	if bytes.HasPrefix(src, []byte{0xff, 0xfe}) || bytes.HasPrefix(src, []byte{0xfe, 0xff}) {
		f.Error(top, "config.utf16")
		return nil, false
	}
	lines = SplitLines(src)
	for i, line := range lines {
		column := 0
		for at := 0; at < len(line); {
			r, size := utf8.DecodeRuneInString(line[at:])
			at += size
			column++
			here := Place{i + 1, column, 1}
			switch {
			case r == utf8.RuneError && size == 1:
				f.Error(here, "config.encoding")
				return lines, false // the rest of the file is likely the same
			case r == '\t':
			case unicode.IsControl(r), invisible(r):
				f.Error(here, "config.character", "code", fmt.Sprintf("U+%04X", r))
			}
		}
	}
	return lines, !f.Failed()
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
func reportWide(f *Findings, at Place, found, meant rune) {
	id := "config.full-width"
	if meant == ' ' {
		id = "config.full-width-space"
	}
	if last := len(f.problems) - 1; last >= 0 && id == "config.full-width-space" {
		p := &f.problems[last]
		if p.ID == id && p.Line == at.Line && p.Column+p.Length == at.Column {
			p.Length++ // one run of them, one problem
			return
		}
	}
	f.Error(at, id, "found", string(found), "code", fmt.Sprintf("U+%04X", found), "right", string(meant))
}
