package control

import (
	"context"
	"path/filepath"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/notices"
	"holdfast/internal/notices/calendars"
	"holdfast/internal/plan"
)

// openCalendars keeps the calendars that plans name. Each node reads them for
// itself: nothing of it is written into the state.
func (n *Node) openCalendars(context.Context) error {
	shelf := calendars.New(filepath.Join(n.o.Config.Data, "calendars"), reach{n}.client, time.Now, n.log)
	later := n.o.Config.Source().Later
	n.api.Calendars = shelf
	n.background(shelf.Run)
	n.background(func(ctx context.Context) {
		followPlans(ctx, n.plansNow, func(plans []*plan.Plan) {
			var all []notices.Spec
			for _, p := range plans {
				all = append(all, binding.Calendars(p, later)...)
			}
			shelf.Set(all)
		})
	})
	return nil
}
