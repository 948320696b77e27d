package imapbox

import (
	"fmt"
	"strings"
	"testing"

	"github.com/emersion/go-message"
)

// nested is a text in so many parts within each other.
func nested(depth int) string {
	var b strings.Builder
	for i := range depth {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	b.WriteString("Content-Type: text/plain\r\n\r\nhello\r\n")
	for i := range depth {
		fmt.Fprintf(&b, "--b%d--\r\n", depth-1-i)
	}
	return b.String()
}

func TestText(t *testing.T) {
	parts := func(many int) string {
		return "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\nContent-Type: image/png\r\n\r\nx\r\n", many) + "--b\r\n\r\nhello\r\n--b--\r\n"
	}
	for name, c := range map[string]struct{ mail, want string }{
		"itself":       {nested(0), "hello"},
		"nested":       {nested(maxDepth), "hello"},
		"nested deep":  {nested(maxDepth + 1), ""},
		"late":         {parts(maxParts - 1), "hello"},
		"too late":     {parts(maxParts), ""},
		"attached":     {"Content-Type: text/plain\r\nContent-Disposition: attachment; filename=a\r\n\r\nhello\r\n", ""},
		"HTML":         {"Content-Type: text/html\r\n\r\n<p>hello\r\n", "hello"},
		"empty, HTML":  {"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\n \r\n--b\r\nContent-Type: text/html\r\n\r\n<p>hello\r\n--b--\r\n", "hello"},
		"no such code": {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=x-none\r\n\r\nhello\r\n--b--\r\n", "hello"},
	} {
		whole, err := message.Read(strings.NewReader(c.mail))
		if err != nil {
			t.Fatal(name, err)
		}
		if got := Text(whole); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
