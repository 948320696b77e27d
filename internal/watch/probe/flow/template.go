package flow

import (
	"net/url"
	"regexp"
	"strings"
)

// The variables that each run has by itself.
const (
	varRun    = "run"
	varNumber = "run_number"
	varTime   = "run_time"
	varUser   = "account.user"
	varSecret = "account.secret"
)

// given are names that no flow may give to a variable.
var given = []string{varRun, varNumber, varTime, "account"}

// hole is where a variable stands in a text.
var hole = regexp.MustCompile(`\{\{ *([a-z][a-z0-9_-]*(?:\.[a-z0-9]+)?) *\}\}`)

// template is a text with variables.
type template string

// names lists the variables of a template; whole is false where braces stand
// that are no variable.
func (t template) names() (names []string, whole bool) {
	for _, m := range hole.FindAllStringSubmatch(string(t), -1) {
		names = append(names, m[1])
	}
	return names, !strings.Contains(hole.ReplaceAllString(string(t), ""), "{{")
}

// variables are what a run knows by now.
type variables map[string]string

// fill puts the variables in; escape makes a value fit its place. missing is
// the first that is not known.
func (v variables) fill(t template, escape func(string) string) (text, missing string) {
	text = hole.ReplaceAllStringFunc(string(t), func(found string) string {
		name := hole.FindStringSubmatch(found)[1]
		value, ok := v[name]
		if !ok && missing == "" {
			missing = name
		}
		if escape != nil {
			value = escape(value)
		}
		return value
	})
	return text, missing
}

// address puts the variables into a path and query, so that none of them can
// name another place than the flow does.
func (v variables) address(t template) (text, missing string) {
	path, query, has := strings.Cut(string(t), "?")
	text, missing = v.fill(template(path), escapePath)
	if has {
		rest, lacks := v.fill(template(query), url.QueryEscape)
		text += "?" + rest
		if missing == "" {
			missing = lacks
		}
	}
	return text, missing
}

func escapePath(value string) string {
	if value == "." || value == ".." {
		return strings.ReplaceAll(value, ".", "%2E")
	}
	return url.PathEscape(value)
}
