package doctor

import (
	"context"

	"holdfast/internal/catalogue"
	"holdfast/internal/config"
	"holdfast/internal/yamldoc"
)

// Level says how grave a finding is.
type Level string

// The levels.
const (
	OK   Level = "ok"
	Warn Level = "warn" // works, but somebody should look
	Fail Level = "fail" // does not work, or will lose what it promises
	Skip Level = "skip" // could not be looked at, because of another finding
)

// Finding is the result of one check.
type Finding struct {
	Check string         `json:"check"`
	Level Level          `json:"level"`
	ID    string         `json:"finding"`
	Args  map[string]any `json:"args,omitempty"`
}

// Name is the check's name.
func (f Finding) Name(lang catalogue.Lang) string {
	return catalogue.Text(lang, "doctor."+f.Check+".name", nil)
}

// Text says what was found.
func (f Finding) Text(lang catalogue.Lang) string {
	return catalogue.Text(lang, "doctor."+f.Check+"."+f.ID, f.Args)
}

// Advice says what to do; it is empty where all is well.
func (f Finding) Advice(lang catalogue.Lang) string {
	if f.Level == OK || f.Level == Skip {
		return ""
	}
	return catalogue.Text(lang, "doctor."+f.Check+"."+f.ID+".advice", f.Args)
}

func finding(check string, level Level, id string, pairs ...any) Finding {
	f := Finding{Check: check, Level: level, ID: id}
	if len(pairs) > 0 {
		f.Args = make(map[string]any, len(pairs)/2)
		for i := 0; i+1 < len(pairs); i += 2 {
			f.Args[pairs[i].(string)] = pairs[i+1]
		}
	}
	return f
}

// Target is what is looked at.
type Target struct {
	Version, Go, Revision string
	Modified              bool

	File     string        // the configuration's
	Config   *config.Relay // nil: it can't be used
	Problems []yamldoc.Problem
	Err      error // why Config is nil
}

// Run makes all checks, in the order in which they build on each other.
func Run(ctx context.Context, t Target) []Finding {
	out := []Finding{program(t), configuration(t)}
	out = append(out, clock()...)
	out = append(out, files())
	if t.Config == nil {
		for _, check := range []string{"data", "space", "disk", "key", "token", "journal", "ports", "upstream"} {
			out = append(out, finding(check, Skip, "skipped"))
		}
		return out
	}
	c := t.Config
	out = append(out, data(c), space(c), disk(c), key(c), token(c), journalFiles(ctx, c))
	out = append(out, ports(ctx, c)...)
	return append(out, upstreams(ctx, c)...)
}

// Sum counts findings by level.
func Sum(findings []Finding) map[Level]int {
	n := map[Level]int{}
	for _, f := range findings {
		n[f.Level]++
	}
	return n
}

func program(t Target) Finding {
	pairs := []any{"version", t.Version, "go", t.Go, "revision", t.Revision}
	if t.Modified {
		return finding("program", Warn, "modified", pairs...)
	}
	return finding("program", OK, "fine", pairs...)
}

func configuration(t Target) Finding {
	n := len(t.Problems)
	switch {
	case t.Config == nil && n == 0:
		return finding("config", Fail, "unreadable", "file", t.File, "cause", cause(t.Err))
	case t.Config == nil:
		return finding("config", Fail, "bad", "file", t.File, "count", n, "line", t.Problems[0].Line)
	case n > 0:
		return finding("config", Warn, "warnings", "file", t.File, "count", n, "line", t.Problems[0].Line)
	default:
		return finding("config", OK, "fine", "file", t.File, "routes", len(t.Config.Routes))
	}
}

func cause(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
