package control

import (
	"slices"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/plan"
)

// seconds are the people of a plan who may bring data back, but for the first one; where
// there is nobody else, those who know who else may: the owner and everybody with a role.
func seconds(p *plan.Plan, first string) (people []string) {
	others := []string{p.Owner}
	for _, role := range p.Roles {
		others = append(others, role.People...)
		if slices.Contains(role.May, "restore") {
			people = append(people, role.People...)
		}
	}
	for _, all := range [][]string{people, others} {
		slices.Sort(all)
		if all = slices.DeleteFunc(slices.Compact(all), func(id string) bool { return id == first }); len(all) > 0 {
			return all
		}
	}
	return nil
}

// askSecond asks whoever may agree to what somebody wants of a restore.
func (n *Node) askSecond(r continuity.Restore, what string, wish continuity.RestoreApproval) continuity.Change {
	var to []continuity.Recipient
	if p := n.planOf(r.Service); p != nil {
		for _, id := range seconds(p, wish.By.ID) {
			to = append(to, continuity.Recipient{Kind: continuity.ToPerson, ID: id})
		}
	}
	text := func(id string) continuity.Text {
		return both(id, func(catalogue.Lang) catalogue.Args {
			return catalogue.Args{"service": r.Service, "restore": r.ID, "name": wish.By.ID, "why": wish.Note, "what": what}
		})
	}
	return continuity.Tell(continuity.Notification{
		ID: r.ID + ".n-" + what, Service: r.Service, About: continuity.KindRestore + "/" + r.ID, At: time.Now().UTC(), Urgency: continuity.UrgencyNotice,
		To: to, Subject: text("keeping.second.subject"), Text: text("keeping.second.text"),
	})
}
