package binding

import (
	"maps"
	"slices"
	"strings"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
	"holdfast/internal/plan"
	"holdfast/internal/yamldoc"
)

// Unreached warns of people of a plan's roles whom no channel of the node, of these
// kinds, reaches: they have no address to which one of them sends. who says who a
// person is; ok is false where nobody is known by that id, or they have left.
func Unreached(p *plan.Plan, node map[string]notify.Kind, who func(id string) (person continuity.Person, ok bool)) []yamldoc.Problem {
	reach := reached(p, node)
	roles := map[string][]string{} // of each whom nothing reaches
	for _, name := range slices.Sorted(maps.Keys(p.Roles)) {
		if p.Roles[name] == nil {
			continue
		}
		for _, id := range p.Roles[name].People {
			person, ok := who(id)
			if !ok || slices.ContainsFunc(person.Addresses, func(a continuity.Address) bool { return reach[a.Kind] }) {
				continue
			}
			roles[id] = append(roles[id], name)
		}
	}
	if len(roles) == 0 {
		return nil
	}
	var people []string
	for _, id := range slices.Sorted(maps.Keys(roles)) {
		people = append(people, id+" ("+strings.Join(roles[id], ", ")+")")
	}
	r, id := newReport(p), "wording.plan.unreached"
	if len(node) == 0 {
		id = "wording.plan.unreached-none"
	}
	r.plan.Warning(p.Places.At("roles"), id, "people", strings.Join(people, ", "), "addresses", strings.Join(slices.Sorted(maps.Keys(reach)), ", "))
	return r.problems()
}

// reached are the kinds of people's addresses to which a page can be sent. A channel
// that sends approved texts only does where the plan has one for a page.
func reached(p *plan.Plan, node map[string]notify.Kind) map[string]bool {
	all := map[string]bool{}
	add := func(kind notify.Kind) {
		if kind.Address != "" {
			all[kind.Address] = true
		}
	}
	for _, kind := range node {
		if !kind.Templates {
			add(kind)
		}
	}
	for i := range p.Channels {
		s, _, err := Behind(p, func(id string) (notify.Kind, bool) { kind, ok := node[id]; return kind, ok }, p.Channels[i].ID, "")
		if err == nil {
			add(node[s.Via])
		}
	}
	return all
}
