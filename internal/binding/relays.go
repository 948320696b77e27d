package binding

import (
	"fmt"
	"slices"

	"holdfast/internal/plan"
	"holdfast/internal/yamldoc"
)

// UnknownRelays warns of routes of a plan whose relay the node's settings don't know: it
// would come out in the outage, when the first step that switches one fails.
func UnknownRelays(p *plan.Plan, known []string) []yamldoc.Problem {
	if p.Tech == nil {
		return nil
	}
	r, id := newReport(p), "wording.plan.relay"
	if len(known) == 0 {
		id = "wording.plan.relay-none"
	}
	for i := range p.Tech.Routes {
		route := &p.Tech.Routes[i]
		if slices.Contains(known, route.Relay) {
			continue
		}
		r.TechWarning(fmt.Sprintf("routes[%d].relay", i), id, "relay", route.Relay, "route", route.ID, "words", known)
	}
	return r.problems()
}
