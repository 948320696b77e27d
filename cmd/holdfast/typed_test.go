package main

import (
	"io"
	"strings"
	"testing"
)

func TestFieldsAreWhatWasTyped(t *testing.T) {
	c := &cli{streams: streams{out: io.Discard, err: io.Discard}, env: func(string) string { return "" }, lang: "en"}
	root := c.root()
	for _, one := range [][3]string{
		{"incident state", "/state", "<state>"},
		{"incident expect", "/next_update", "--next"},
		{"incident expect", "/expected", "[TIME]"},
		{"incident grade", "/hits/0", "--hits"},
		{"incident declare", "/title/en", "--title"},
		{"incident take", "/person", "--who"}, // and not the flag of all commands
		{"incident update", "/text/zh", "--text-zh"},
		{"incident update", "/text/en", "--text"},
		{"incident update", "/audience", "--to"},
		{"incident hand-over", "/to", "<person>"},
		{"window feedback", "/score", "--score"},
		{"window extend", "/end", "--until"},
		{"window propose", "/reason/en", "--reason"},
		{"window cancel", "/reason/en", "--why"},
		{"exercise start", "/speed", "--speed"},
		{"exercise jump", "/shown", "--to"},
		{"run stop", "/why", "--why"},
		{"run stop", "/nothing", ""},
	} {
		cmd, _, err := root.Find(strings.Fields(one[0]))
		if err != nil {
			t.Fatal(err)
		}
		if got := typed(cmd, one[1]); got != one[2] {
			t.Errorf("%s %s: %q, want %q", one[0], one[1], got, one[2])
		}
	}
}
