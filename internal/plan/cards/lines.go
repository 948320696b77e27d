package cards

import (
	"fmt"
	"strings"

	"github.com/rivo/uniseg"
)

// clean leaves of the white space what paper knows: spaces and new lines.
// Characters that only guide screens go.
func clean(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch r {
		case '\t', '\u00a0', '\u202f':
			return ' '
		case '\u200b', '\u200c', '\u200d', '\u2060', '\ufeff', '\ufe0e', '\ufe0f':
			return -1
		}
		return r
	}, text))
}

func codePoint(r rune) string { return fmt.Sprintf("U+%04X", r) }

// breakLines fits a text into a width by the rules of Unicode (UAX 14), so that
// no Chinese line begins with a comma or ends with an opening bracket. A word
// that is wider than a line is broken between letters.
func breakLines(text string, width float64, measure func(string) float64) []string {
	var lines []string
	line := ""
	flush := func() {
		lines = append(lines, strings.TrimRight(line, " "))
		line = ""
	}
	state := -1
	for rest := clean(text); rest != ""; {
		var segment string
		var must bool
		segment, rest, must, state = uniseg.FirstLineSegmentInString(rest, state)
		segment = strings.TrimRight(segment, "\n")
		if line != "" && measure(strings.TrimRight(line+segment, " ")) > width {
			flush()
		}
		if measure(strings.TrimRight(segment, " ")) > width {
			segment = breakWord(segment, width, measure, func(part string) { lines = append(lines, part) })
		}
		line += segment
		if must && rest != "" {
			flush()
		}
	}
	if line != "" {
		flush()
	}
	return lines
}

// breakWord hands out full lines of a word and returns what is left of it.
func breakWord(word string, width float64, measure func(string) float64, full func(string)) string {
	line := ""
	letters := uniseg.NewGraphemes(word)
	for letters.Next() {
		if line != "" && measure(line+letters.Str()) > width {
			full(line)
			line = ""
		}
		line += letters.Str()
	}
	return line
}
