package config

import (
	"errors"
	"io/fs"
	"path/filepath"
	"regexp"

	"holdfast/internal/continuity"
	"holdfast/internal/yamldoc"
)

// Relay is a complete, valid configuration with every default filled in and
// every path absolute.
type Relay struct {
	File        string // the file it was read from
	Listeners   []continuity.Listener
	Transport   continuity.Transport
	AdminListen string
	TokenFile   string // the admin token; may not exist yet

	DataDir       string
	JournalDir    string
	MasterKeyFile string
	ViewFile      string
	SegmentBytes  int64 // of one journal segment

	Limits continuity.Limits
	Routes []continuity.Route
	// Approvals says which acts need a second person; nil: none.
	Approvals *continuity.Approvals
}

// Load reads the file and what it refers to. It returns a complete
// configuration, with the warnings about it, or no configuration, with all
// problems and an error of CodeConfig; any other error is one of reading.
func Load(path string) (*Relay, []yamldoc.Problem, error) {
	src, err := Read(path)
	if err != nil {
		return nil, nil, err
	}
	return Parse(path, src, filepath.Dir(path))
}

// Parse is Load for a text that was read already. path names it in problems;
// what it refers to is looked for in dir.
func Parse(path string, src []byte, dir string) (*Relay, []yamldoc.Problem, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, nil, continuity.E(continuity.CodeConfig, err, "detail", err.Error())
	}
	f := yamldoc.NewFindings(path)
	doc, lines := examine(f, src)
	var relay *Relay
	if doc != nil {
		relay = build(doc, dir)
		relay.File = path
		secrets(f, doc, dir, relay)
	}
	problems := f.Settle(lines)
	if doc == nil || f.Failed() {
		return nil, problems, continuity.E(continuity.CodeConfig, errInvalid)
	}
	return relay, problems, nil
}

var errInvalid = errors.New("config: the file has errors")

// Read reads a file's text; one that is too large comes cut, and is refused by
// Check.
func Read(path string) ([]byte, error) {
	src, err := yamldoc.ReadFile(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	return src, nil
}

// unreadable tells of a file that can't be read, which says nothing about what
// stands in it.
func unreadable(path string, err error) error {
	name := "unreadable"
	if errors.Is(err, fs.ErrNotExist) {
		name = "missing"
	}
	return continuity.E(continuity.CodeConfig, err, name, path, "cause", err.Error())
}

var dataLine = regexp.MustCompile(`(?m)^data:[ \t]*["']?([^"'#\r\n]+?)["']?[ \t]*(#.*)?\r?$`)

// DataDir is the data folder that a file names, as far as can be told of one
// that has errors: whoever looks for a running relay, or for its last good
// configuration, needs no more.
func DataDir(path string) string {
	name := "data"
	if src, err := Read(path); err == nil {
		if found := dataLine.FindSubmatch(src); found != nil {
			name = string(found[1])
		}
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		dir = filepath.Dir(path)
	}
	return resolve(dir, name)
}

// Check reports every problem of a file's text. It looks at nothing but src:
// secret files and variables are checked by Load.
func Check(path string, src []byte) []yamldoc.Problem {
	f := yamldoc.NewFindings(path)
	_, lines := examine(f, src)
	return f.Settle(lines)
}

// examine takes a text through all steps that need nothing else. doc is nil
// where there is nothing to build on.
func examine(f *findings, src []byte) (doc *document, lines []string) {
	root, lines := yamldoc.Read(f, src)
	if root == nil {
		return nil, lines
	}
	doc = &document{}
	language.Decode(f, root, doc)
	check(f, doc)
	return doc, lines
}
