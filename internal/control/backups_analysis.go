package control

import (
	"context"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/incident"
)

// analyse opens the analysis of the cause: a task for who is responsible for the data, of
// the restore's incident where it has one that goes on.
func (n *Node) analyse(ctx context.Context, r continuity.Restore) (string, error) {
	owner := ""
	sets, _ := setPlans{n}.Sets()
	for i := range sets {
		if sets[i].Service == r.Service && len(r.Sets) > 0 && sets[i].ID == r.Sets[0].Set {
			owner = sets[i].Owner
		}
	}
	by := continuity.Actor{Kind: continuity.ActorEngine, ID: "restores", Via: n.name}
	say := func(lang catalogue.Lang) string {
		return catalogue.Text(lang, "keeping.analysis", catalogue.Args{"id": r.ID})
	}
	desk, ok := n.api.Incidents.(incidentsDesk)
	if r.Incident != "" && ok {
		task, err := desk.Assign(ctx, incident.By{Actor: by, Trusted: true}, r.Incident, say(catalogue.Lang(n.o.Config.Language)), owner, time.Time{})
		switch continuity.CodeOf(err) {
		case continuity.CodeNotFound, continuity.CodeState, continuity.CodeInvalid: // the incident is over, or takes no tasks
		default:
			return task.ID, err
		}
	}
	now := time.Now().UTC()
	task := continuity.Task{
		ID: r.ID + ".analysis", Incident: r.Incident, Service: r.Service, Text: say(catalogue.Lang(n.o.Config.Language)), Owner: owner, State: continuity.TaskOpen, By: by, At: now,
	}
	to := continuity.Recipient{Kind: continuity.ToPerson, ID: owner}
	if p := n.planOf(r.Service); p != nil && p.Roles[owner] != nil {
		to.Kind = continuity.ToRole
	}
	text := func(id string) continuity.Text {
		return both(id, func(lang catalogue.Lang) catalogue.Args {
			return catalogue.Args{"service": r.Service, "text": say(lang), "restore": r.ID, "task": task.ID}
		})
	}
	told := continuity.Tell(continuity.Notification{
		ID: task.ID + ".n-1", Service: r.Service, About: continuity.KindRestore + "/" + r.ID, At: now, Urgency: continuity.UrgencyNotice, To: []continuity.Recipient{to},
		Subject: text("keeping.analysis.subject"),
		Text:    text("keeping.analysis.text"),
	})
	_, err := n.store.Commit(ctx, continuity.Batch{Actor: by, Changes: []continuity.Change{
		continuity.Set(continuity.KindTask, task.ID, task.Service, continuity.VersionNew, "task.assigned", "", task), told,
	}})
	if continuity.CodeOf(err) == continuity.CodeVersion { // by an attempt whose end nobody knows
		err = nil
	}
	return task.ID, err
}
