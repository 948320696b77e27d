package paper

import (
	_ "embed" // readings
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// longest is how long an id gets before it is cut at a syllable.
const longest = 40

// slug makes of a name what an id may be: letters and digits as they are,
// Chinese by its pinyin, a dash between words and syllables. It is empty for a
// name that has none of these. The same name gives the same id, wherever it
// stands.
func slug(name string) string {
	var parts []string
	word := ""
	flush := func() {
		if word != "" {
			parts = append(parts, word)
			word = ""
		}
	}
	for _, r := range strings.ToLower(width.Fold.String(name)) {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			word += string(r)
			continue
		}
		flush()
		if read := reading(r); read != "" {
			parts = append(parts, read)
		}
	}
	flush()
	out := ""
	for _, part := range parts {
		part = part[:min(len(part), longest)]
		if out != "" && len(out)+1+len(part) > longest {
			break
		}
		out = strings.TrimPrefix(out+"-"+part, "-")
	}
	if out != "" && unicode.IsDigit(rune(out[0])) {
		out = "p-" + out
	}
	return out
}

// readings has a line for each syllable: how it is written, and the characters
// read so. The test makes it of go-pinyin, whose licence is in pinyin.LICENSE.
//
//go:embed pinyin.txt
var readings string

// reading is a Chinese character's most usual syllable, without its tone; empty
// for all else. Sheets are read seldom: the table is searched as it is.
func reading(r rune) string {
	at := strings.IndexRune(readings, r)
	if at < 0 || !unicode.Is(unicode.Han, r) {
		return ""
	}
	syllable, _, _ := strings.Cut(readings[strings.LastIndexByte(readings[:at], '\n')+1:], " ")
	return syllable
}

// ids gives each name an id of its own.
type ids map[string]bool

// give is an id, with a number where it is taken. Only names that sound the same
// get one.
func (taken ids) give(wanted string) string {
	id := wanted
	for n := 2; taken[id]; n++ {
		id = wanted + "-" + strconv.Itoa(n)
	}
	taken[id] = true
	return id
}
