package binding

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/andybalholm/cascadia"

	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
	"holdfast/internal/notices"
	"holdfast/internal/notices/extract"
	"holdfast/internal/plan"
	"holdfast/internal/secret"
)

// Notices is what a plan says of its providers' notices. later fetches a secret
// when it is needed.
func Notices(p *plan.Plan, later func(secret.Ref) func() (string, error)) notices.Service {
	s := notices.Service{ID: p.ID, Provider: p.Service.Provider, Zone: zoneOf(p.Service.Zone), Names: names(p, "")}
	if p.Tech == nil {
		return s
	}
	for i := range p.Tech.Notices {
		if n := &p.Tech.Notices[i]; noticeFault(n) == nil {
			s.Sources = append(s.Sources, noticeSpec(p, n, later))
		}
	}
	return s
}

func noticeSpec(p *plan.Plan, n *plan.NoticeSource, later func(secret.Ref) func() (string, error)) notices.Spec {
	spec := notices.Spec{
		Service: p.ID, ID: n.ID, Kind: n.Kind, Provider: n.Provider, URL: n.URL, Selector: n.Selector, Components: n.Components,
		Server: n.Server, User: n.User, Folder: n.Folder, From: n.From, Zone: zoneOf(n.Zone), About: n.About,
		Level: continuity.Level(n.Level), Every: n.Every, Names: names(p, n.Provider), Allow: p.Tech.Allow,
	}
	if n.Zone == "" {
		spec.Zone = zoneOf(p.Service.Zone)
	}
	if n.Pattern != "" {
		spec.Pattern = regexp.MustCompile(n.Pattern) // it was compiled when the plan was read
	}
	if n.Auth != nil {
		spec.Auth, spec.AuthRef = notices.Secret(fetch(n.Auth, later)), refOf(n.Auth).String()
	}
	if t := n.Trust; t != nil {
		spec.Trust = notices.Trust(*t)
	}
	return spec
}

// Calendars are the calendars that a plan names.
func Calendars(p *plan.Plan, later func(secret.Ref) func() (string, error)) (all []notices.Spec) {
	if p.Tech == nil {
		return nil
	}
	for i := range p.Tech.Calendars {
		c := &p.Tech.Calendars[i]
		if calendarFault(c) != nil {
			continue
		}
		spec := notices.Spec{Service: p.ID, ID: c.ID, Kind: c.Kind, URL: c.URL, Zone: zoneOf(c.Zone), Every: c.Every, Allow: p.Tech.Allow}
		if c.Zone == "" {
			spec.Zone = zoneOf(p.Service.Zone)
		}
		if c.Auth != nil {
			spec.Auth, spec.AuthRef = notices.Secret(fetch(c.Auth, later)), refOf(c.Auth).String()
		}
		if c.Trust != nil {
			spec.Trust = notices.Trust(*c.Trust)
		}
		all = append(all, spec)
	}
	return all
}

// calendarFault is what a calendar can't be read for; nil: it can.
func calendarFault(c *plan.Calendar) *fault {
	if c.Every > 0 && c.Every < leastEvery {
		return &fault{"every", "notice.plan.every", []any{"least", "30s"}}
	}
	if c.Auth != nil && strings.HasPrefix(c.URL, "http://") {
		return &fault{"url", "notice.plan.open", nil}
	}
	return nil
}

// zoneOf is a zone that was checked when the plan was read.
func zoneOf(name string) *time.Location {
	if zone, err := calendar.ParseZone(name); err == nil {
		return zone
	}
	return time.UTC
}

// names are what a notice of a provider may speak of: what the plan says is
// theirs, and where it says nothing of that, all of it.
func names(p *plan.Plan, provider string) (all []extract.Name) {
	add := func(id string, text plan.Text) {
		name := extract.Name{ID: id, Names: []string{id, strings.ReplaceAll(id, "-", " ")}}
		for _, n := range []string{text.En, text.Zh} {
			if n != "" {
				name.Names = append(name.Names, n)
			}
		}
		all = append(all, name)
	}
	theirs := func(of string) bool { return provider == "" || of == provider }
	for range 2 {
		for _, c := range p.Components {
			if theirs(c.Provider) {
				add(c.ID, c.Name)
			}
		}
		for i := range p.Dependencies {
			if d := &p.Dependencies[i]; theirs(d.Provider) {
				add(d.ID, d.Name)
			}
		}
		if len(all) > 0 {
			return all
		}
		provider = ""
	}
	return all
}

// fault is what an engine refuses at a field.
type fault struct {
	field, id string
	pairs     []any
}

// noticeFault is what a source can't be made of; nil: it can.
func noticeFault(n *plan.NoticeSource) *fault {
	if n.Selector != "" {
		if _, err := cascadia.ParseGroup(n.Selector); err != nil || len(n.Selector) > 500 {
			return &fault{"selector", "notice.plan.selector", []any{"value", n.Selector}}
		}
	}
	for i, from := range n.From {
		if strings.Count(from, "@") > 1 || strings.ContainsAny(from, " <>,") || strings.HasSuffix(from, "@") || !strings.Contains(from, ".") {
			return &fault{fmt.Sprintf("from[%d]", i), "notice.plan.from", []any{"value", from}}
		}
	}
	if n.Every > 0 && n.Every < leastEvery {
		return &fault{"every", "notice.plan.every", []any{"least", "30s"}}
	}
	if n.Auth != nil && strings.HasPrefix(n.URL, "http://") {
		return &fault{"url", "notice.plan.open", nil}
	}
	return nil
}

// leastEvery is how often a provider is asked at most: it is theirs.
const leastEvery = 30 * time.Second

// checkNotices reports sources of notices and calendars that can't be read.
func checkNotices(p *plan.Plan, r *Report) {
	if p.Tech == nil {
		return
	}
	for i := range p.Tech.Notices {
		if f := noticeFault(&p.Tech.Notices[i]); f != nil {
			r.Tech(fmt.Sprintf("notices[%d].%s", i, f.field), f.id, f.pairs...)
		}
	}
	for i := range p.Tech.Calendars {
		if f := calendarFault(&p.Tech.Calendars[i]); f != nil {
			r.Tech(fmt.Sprintf("calendars[%d].%s", i, f.field), f.id, f.pairs...)
		}
	}
}
