// Package terminal writes messages to the terminals of who is logged in on this
// machine, or to a file or console: the last resort, which needs no network.
package terminal

import (
	"context"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"holdfast/internal/notify"
)

// Kind is the way by this machine's terminals.
var Kind = notify.Kind{
	Name: "terminal", Serves: []string{"board"}, PerMinute: 60,
	Settings: func() any { return &Settings{} },
	Open: func(settings any, tools notify.Tools) (notify.Channel, error) {
		return &channel{*settings.(*Settings), tools, terminals}, nil
	},
}

// Settings of terminals.
type Settings struct {
	File  string   `yaml:"file" kind:"file" example:"/dev/console"`
	Users []string `yaml:"users" kind:"text" example:"[root, li.wei]"`
}

type channel struct {
	Settings

	tools     notify.Tools
	terminals func() []string
}

// Send implements notify.Channel.
func (c *channel) Send(ctx context.Context, m *notify.Message) (notify.Sent, error) {
	if ctx.Err() != nil {
		return notify.Sent{}, &notify.Failure{Code: notify.FailUnreachable, Retry: true}
	}
	if c.File != "" {
		if err := write(c.File, c.text(m, "\n"), os.O_CREATE|os.O_APPEND); err != nil {
			c.tools.Log.Warn("a channel's file can't be written", "channel", c.tools.ID, "error", err)
			return notify.Sent{}, &notify.Failure{Code: notify.FailUnreachable, Retry: true}
		}
		return notify.Sent{Arrived: true}, nil
	}
	written := 0
	for _, path := range c.terminals() {
		if !c.of(path) {
			continue
		}
		// A terminal raw or not: each line begins at its left.
		if write(path, c.text(m, "\r\n"), 0) == nil {
			written++
		}
	}
	if written == 0 { // nobody is there, or nobody wants to be written to
		return notify.Sent{}, &notify.Failure{Code: notify.FailAddress}
	}
	return notify.Sent{Arrived: true, Fraction: written}, nil
}

// of reports whether a terminal is one of those who are to be told.
func (c *channel) of(path string) bool {
	owner, ok := ownerOf(path)
	if !ok {
		return false
	}
	who, err := user.LookupId(owner)
	return len(c.Users) == 0 || err == nil && slices.Contains(c.Users, who.Username)
}

// text is the message as a block that stands out, without anything that would
// steer a terminal.
func (c *channel) text(m *notify.Message, end string) string {
	var b strings.Builder
	b.WriteString(end + "*** Holdfast, " + c.tools.Now().Format("2006-01-02 15:04:05 MST") + " ***" + end)
	subject := m.Subject
	if first, _, _ := strings.Cut(m.Text, "\n"); first == subject {
		subject = "" // said once is enough
	}
	for _, part := range []string{subject, m.Text, m.Link} {
		for line := range strings.Lines(part) {
			b.WriteString(visible(strings.TrimRight(line, "\r\n")) + end)
		}
	}
	b.WriteString("***" + end)
	if m.Urgent && end == "\r\n" {
		b.WriteString("\a")
	}
	return b.String()
}

func visible(line string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < ' ', r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, strings.ToValidUTF8(line, "\uFFFD"))
}

// terminals are those of this machine on which somebody may be logged in.
func terminals() (all []string) {
	for _, pattern := range []string{"/dev/pts/[0-9]*", "/dev/tty[1-9]*", "/dev/ttyS[0-9]*"} {
		found, _ := filepath.Glob(pattern) // the patterns are right
		all = append(all, found...)
	}
	return all
}
