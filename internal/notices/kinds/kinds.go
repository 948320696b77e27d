// Package kinds is the one table of the kinds of source. A new kind is a package
// and a line here.
package kinds

import (
	"fmt"

	"holdfast/internal/notices"
	"holdfast/internal/notices/feed"
	"holdfast/internal/notices/ical"
	"holdfast/internal/notices/mailbox"
	"holdfast/internal/notices/page"
	"holdfast/internal/notices/statuspage"
)

// All makes sources by the name of their kind.
var All = map[string]func(*notices.Spec, *notices.Tools) (notices.Source, error){
	"feed":       feed.New,
	"ical":       ical.New,
	"mailbox":    mailbox.New,
	"page":       page.New,
	"statuspage": statuspage.New,
}

// New makes a source of the kind that its spec names.
func New(s *notices.Spec, tools *notices.Tools) (notices.Source, error) {
	make, ok := All[s.Kind]
	if !ok {
		return nil, fmt.Errorf("notices: source %s: there is no kind %q", s.Ref(), s.Kind)
	}
	return make(s, tools)
}
