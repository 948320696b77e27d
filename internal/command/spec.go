package command

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
)

// Spec is a program that may be run, and how.
type Spec struct {
	ID     string
	Argv   []string          // {name} as a whole element stands for a parameter; the first is a path
	Params map[string]string // by name: a pattern that the whole value has to fit
	User   string            // empty: Holdfast's own
	Folder string            // empty: /
	Env    map[string]string // all that it gets besides a PATH
	Hidden []string          // values that no output shows

	Time   time.Duration
	CPU    time.Duration // of the processor, for each process
	Memory int64         // bytes of address space, for each process; 0: unbounded
	Files  int64         // open at a time, for each process
	Many   int64         // processes and threads of the user, all together; 0: unbounded
	Size   int64         // bytes of a file that it writes; 0: unbounded
	Output int           // bytes that are kept of what it writes
}

// Outcome is how a program ended.
type Outcome struct {
	Status int           `json:"status"`           // -1: a signal ended it
	Signal string        `json:"signal,omitempty"` // that ended it
	Output string        `json:"output,omitempty"` // what it wrote to both, bounded, without secrets
	Cut    bool          `json:"cut,omitempty"`    // some of that is left out
	Late   bool          `json:"late,omitempty"`   // its time was over
	Ended  bool          `json:"ended,omitempty"`  // somebody ended it
	Left   int           `json:"left,omitempty"`   // how many processes it left behind: they were ended
	Took   time.Duration `json:"took"`
}

var placeholder = regexp.MustCompile(`^\{([a-z][a-z0-9_-]*)\}$`)

// parameterOf is the parameter that an argument stands for.
func parameterOf(argument string) (name string, ok bool) {
	m := placeholder.FindStringSubmatch(argument)
	if m == nil {
		return "", false
	}
	return m[1], true
}

func refused(code string, pairs ...any) error {
	return continuity.E(continuity.CodeInvalid, nil, append([]any{"detail_id", "command." + code}, pairs...)...)
}

// longestValue bounds a parameter's value, in bytes.
const longestValue = 4096

// Bind puts parameters into their places. Each that the arguments name has to be
// there, none else may, and each fits its pattern.
func (s *Spec) Bind(params map[string]string) ([]string, error) {
	argv, used := make([]string, len(s.Argv)), map[string]bool{}
	for i, arg := range s.Argv {
		name, is := parameterOf(arg)
		if !is {
			argv[i] = arg
			continue
		}
		value, there := params[name]
		if !there {
			return nil, refused("lacks", "name", name)
		}
		pattern, err := regexp.Compile(`\A(?:` + s.Params[name] + `)\z`)
		if s.Params[name] == "" || err != nil || i == 0 || len(value) > longestValue || strings.ContainsRune(value, 0) || !pattern.MatchString(value) {
			return nil, refused("unfit", "name", name)
		}
		argv[i], used[name] = value, true
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if !used[name] {
			return nil, refused("unknown", "name", name)
		}
	}
	if len(argv) == 0 || !filepath.IsAbs(argv[0]) {
		return nil, refused("path")
	}
	return argv, nil
}
