package oncall

import (
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// Role is what a plan says of a role.
type Role struct {
	People []string // the first leads where no rota says who
	Rotas  []*Rota  // the first that has somebody on call says who leads
	Team   []string // all who are told in the end, besides those of the role
	Wait   time.Duration
}

// Step is who is told together, and how long is waited for them before the next
// are; 0 with the last ones.
type Step struct {
	To   []continuity.Recipient
	Wait time.Duration
}

// defaultWait is how long somebody has to acknowledge a page.
const defaultWait = 5 * time.Minute

// Lead is who leads a role at an instant; ok is false where all have left.
func (role *Role) Lead(overrides []continuity.Override, people Roster, at time.Time) (id string, ok bool) {
	for _, r := range role.Rotas {
		if on, ok := r.At(overrides, people, at); ok {
			return on.Person, true
		}
	}
	i := slices.IndexFunc(role.People, func(id string) bool { return people.there(id, at) })
	if i < 0 {
		return "", false
	}
	return role.People[i], true
}

// Ladder is who is told one after the other of what concerns a role: who leads it,
// each deputy in turn, the whole team. Who has left is never told, and nobody's
// hours of quiet are looked at: it is for pages.
func Ladder(role *Role, overrides []continuity.Override, people Roster, at time.Time) (steps []Step) {
	wait := role.Wait
	if wait <= 0 {
		wait = defaultWait
	}
	var told []string
	tell := func(id string) {
		if !slices.Contains(told, id) && people.there(id, at) {
			told = append(told, id)
			steps = append(steps, Step{To: persons(id), Wait: wait})
		}
	}
	if lead, ok := role.Lead(overrides, people, at); ok {
		tell(lead)
	}
	for _, id := range role.People {
		tell(id)
	}
	team := slices.Clone(told)
	for _, id := range role.Team {
		if !slices.Contains(team, id) && people.there(id, at) {
			team = append(team, id)
		}
	}
	if len(team) > 1 { // all again, at once
		steps = append(steps, Step{To: persons(team...)})
	} else if len(steps) > 0 {
		steps[len(steps)-1].Wait = 0
	}
	return steps
}

func persons(ids ...string) []continuity.Recipient {
	to := make([]continuity.Recipient, len(ids))
	for i, id := range ids {
		to[i] = continuity.Recipient{Kind: continuity.ToPerson, ID: id}
	}
	return to
}
