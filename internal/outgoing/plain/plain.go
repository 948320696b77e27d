// Package plain makes plain text of what was written for a browser: words and
// lines, without scripts, styles and whatever else is not meant to be read. It
// goes through a document once and builds nothing, so that depth and size of a
// hostile one cost no more than reading it.
package plain

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Most is how long a text is kept, in bytes.
const Most = 8 << 10

// Hidden are elements whose content nobody reads.
var Hidden = map[atom.Atom]bool{
	atom.Script: true, atom.Style: true, atom.Noscript: true, atom.Template: true, atom.Svg: true, atom.Iframe: true,
	atom.Object: true, atom.Head: true, atom.Title: true, atom.Select: true, atom.Textarea: true,
}

// blocks begin and end lines.
var blocks = map[atom.Atom]bool{
	atom.P: true, atom.Div: true, atom.Br: true, atom.Li: true, atom.Ul: true, atom.Ol: true, atom.Tr: true, atom.Table: true,
	atom.H1: true, atom.H2: true, atom.H3: true, atom.H4: true, atom.H5: true, atom.H6: true, atom.Section: true,
	atom.Article: true, atom.Header: true, atom.Footer: true, atom.Dt: true, atom.Dd: true, atom.Blockquote: true,
	atom.Hr: true, atom.Pre: true,
}

// Block reports whether an element begins and ends lines.
func Block(a atom.Atom) bool { return blocks[a] }

// FromHTML returns the text of a document or a part of one. A text without tags
// comes back as it is, but for its spaces.
func FromHTML(src string) string {
	t := html.NewTokenizer(strings.NewReader(src))
	t.SetMaxBuf(1 << 20)
	var b strings.Builder
	var hidden atom.Atom
	depth := 0
	for b.Len() < 4*Most {
		switch t.Next() {
		case html.ErrorToken:
			return Tidy(b.String())
		case html.TextToken:
			if hidden == 0 {
				b.Write(t.Text())
			}
		case html.StartTagToken:
			name, _ := t.TagName()
			a := atom.Lookup(name)
			switch {
			case hidden != 0:
				if a == hidden {
					depth++
				}
			case Hidden[a]:
				hidden, depth = a, 1
			case blocks[a]:
				b.WriteByte('\n')
			case a == atom.Td || a == atom.Th:
				b.WriteByte(' ')
			}
		case html.SelfClosingTagToken:
			if name, _ := t.TagName(); blocks[atom.Lookup(name)] {
				b.WriteByte('\n')
			}
		case html.EndTagToken:
			name, _ := t.TagName()
			a := atom.Lookup(name)
			switch {
			case hidden != 0 && a == hidden:
				if depth--; depth == 0 {
					hidden = 0
				}
			case hidden == 0 && blocks[a]:
				b.WriteByte('\n')
			}
		}
	}
	return Tidy(b.String())
}

// Tidy leaves no space at the ends of lines, no empty lines but single ones, no
// control characters, and no more than is kept.
func Tidy(text string) string {
	var b strings.Builder
	empty := 0
	for line := range strings.SplitSeq(strings.ToValidUTF8(text, "�"), "\n") {
		line = strings.Join(strings.FieldsFunc(line, func(r rune) bool {
			return unicode.IsSpace(r) || unicode.IsControl(r) || r == '\u200b' || r == '\ufeff' || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
		}), " ")
		if line == "" {
			empty++
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
			if empty > 0 {
				b.WriteByte('\n')
			}
		}
		empty = 0
		b.WriteString(line)
		if b.Len() > Most {
			break
		}
	}
	return Cut(b.String(), Most)
}

// Line is a text in one line, cut to so many bytes.
func Line(text string, most int) string {
	return Cut(strings.ReplaceAll(strings.ReplaceAll(Tidy(text), "\n\n", " "), "\n", " "), most)
}

// Cut shortens a text to so many bytes, and says so by dots.
func Cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	end := most - len("…")
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
