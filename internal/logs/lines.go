package logs

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// Bounds of what is read.
const (
	maxLine   = 16 << 10 // bytes of a line that are looked at
	maxRecord = 64 << 10 // bytes of a record
	maxFolded = 500      // lines of a record
)

// The encodings of lines.
const (
	Auto = "auto" // UTF-8, and GB 18030 where it is no UTF-8
	UTF8 = "utf-8"
	GBK  = "gbk"
)

// decode makes text of a line's bytes.
func decode(line []byte, encoding string) (text string, binary bool) {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if bytes.IndexByte(line, 0) >= 0 {
		return "", true
	}
	if encoding != GBK && utf8.Valid(line) {
		return string(line), false
	}
	if encoding != UTF8 {
		out, err := simplifiedchinese.GB18030.NewDecoder().Bytes(line)
		if err == nil && !bytes.ContainsRune(out, utf8.RuneError) {
			return string(out), false
		}
	}
	return strings.ToValidUTF8(string(line), "�"), false
}

// folder puts lines together that are one record: a message and the stack trace
// under it.
type folder struct {
	begins *regexp.Regexp // a record's first line; nil: by how lines begin
	text   strings.Builder
	lines  int
	trace  bool // within a trace of Python, whose last line is not indented
}

// add takes a line. done is the record before, if the line begins another.
func (f *folder) add(line string) (done string, lines int) {
	if f.lines > 0 && f.lines < maxFolded && f.continues(line) {
		f.lines++
		if f.text.Len()+len(line) < maxRecord {
			f.text.WriteByte('\n')
			f.text.WriteString(line)
		}
		return "", 0
	}
	done, lines = f.flush()
	f.lines = 1
	f.trace = strings.HasPrefix(line, tracebackHead)
	f.text.WriteString(line)
	return done, lines
}

const tracebackHead = "Traceback (most recent call last)"

func (f *folder) continues(line string) bool {
	if f.begins != nil {
		return !f.begins.MatchString(line)
	}
	switch {
	case line == "", line[0] == ' ', line[0] == '\t':
		return true
	case strings.HasPrefix(line, tracebackHead):
		f.trace = true
		return true
	case thrown(line), strings.HasPrefix(line, "Caused by:"), strings.HasPrefix(line, "Suppressed:"), strings.HasPrefix(line, "... "):
		return true
	case f.trace: // its last line: the exception
		f.trace = false
		return true
	}
	return false
}

// thrown says whether a line begins with the name of what Java throws.
func thrown(line string) bool {
	name, _, _ := strings.Cut(line, ":")
	return !strings.ContainsAny(name, " \t") && strings.Contains(name, ".") && (strings.HasSuffix(name, "Exception") || strings.HasSuffix(name, "Error"))
}

// flush ends the record that is being put together.
func (f *folder) flush() (record string, lines int) {
	record, lines = f.text.String(), f.lines
	f.text.Reset()
	f.lines, f.trace = 0, false
	return record, lines
}
