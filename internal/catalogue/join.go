package catalogue

import (
	"io"
	"strings"
	"text/template"
	"unicode"
	"unicode/utf8"

	i18n "github.com/nicksnyder/go-i18n/v2/i18n/template"
)

// chinese parses Chinese texts. They part Latin words and figures from Chinese ones by a
// space; what fills a placeholder may be either, so that its neighbours can't know.
type chinese struct{}

func (chinese) Cacheable() bool { return true }

func (chinese) Parse(text, left, right string) (i18n.ParsedTemplate, error) {
	parsed, err := template.New("").Delims(left, right).Parse(text)
	if err != nil {
		return nil, err
	}
	return chineseText{parsed}, nil
}

type chineseText struct{ *template.Template }

// Execute fills the text.
func (t chineseText) Execute(data any) (string, error) {
	var joined joiner
	err := t.Template.Execute(&joined, data)
	return joined.String(), err
}

// joiner leaves out a space between two Chinese characters where a text and what fills it
// meet: a template writes each of them by itself. Spaces within either are their author's.
type joiner struct{ strings.Builder }

var _ io.Writer = (*joiner)(nil)

func (j *joiner) Write(part []byte) (int, error) {
	so, next := j.String(), string(part)
	if before, ok := strings.CutSuffix(so, " "); ok && endsChinese(before) && beginsChinese(next) {
		j.Reset()
		j.WriteString(before)
	} else if after, ok := strings.CutPrefix(next, " "); ok && endsChinese(so) && beginsChinese(after) {
		next = after
	}
	j.WriteString(next)
	return len(part), nil
}

func endsChinese(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return unicode.Is(unicode.Han, r)
}

func beginsChinese(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.Is(unicode.Han, r)
}
