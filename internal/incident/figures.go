package incident

import (
	"context"
	"time"

	"holdfast/internal/continuity"
)

// Figures are what is measured of an incident, in seconds of real time since the
// fault; null where it has not come to that.
type Figures struct {
	Incident   string   `json:"incident"`
	Declared   *float64 `json:"declared"`
	Commanded  *float64 `json:"commanded"`     // somebody took command
	First      *float64 `json:"first_message"` // an audience was told something
	Scoped     *float64 `json:"scoped"`        // a person said whom it hits
	Restored   *float64 `json:"restored"`
	Down       float64  `json:"down"` // in all: without the times in which it worked before it failed again
	Resolved   *float64 `json:"resolved"`
	RTO        float64  `json:"rto,omitempty"` // promised
	MTD        float64  `json:"mtd,omitempty"`
	WithinRTO  *bool    `json:"within_rto"`
	WithinMTD  *bool    `json:"within_mtd"`
	Tasks      int      `json:"tasks"`
	TasksOpen  int      `json:"tasks_open"`
	Reopened   int      `json:"reopened"`
	HandOvers  int      `json:"hand_overs"`
	Unanswered int      `json:"unanswered"` // roles that nobody has
}

// Figures are those of an incident as it is now.
func (a *Acts) Figures(ctx context.Context, id string) (Figures, error) {
	k, err := a.Get(ctx, id)
	if err != nil {
		return Figures{}, err
	}
	tasks, err := Below[continuity.Task](ctx, a, id, continuity.KindTask)
	if err != nil {
		return Figures{}, err
	}
	f := Figures{Incident: id, RTO: k.RTO.Seconds(), MTD: k.MTD.Seconds(), Tasks: len(tasks), Reopened: k.Reopened, Down: k.Lasted(a.now()).Seconds()}
	after := func(at time.Time) *float64 {
		if at.IsZero() {
			return nil
		}
		s := at.Sub(k.Started).Seconds()
		return &s
	}
	for _, t := range tasks {
		f.TasksOpen += b2i(t.State == continuity.TaskOpen)
	}
	for _, h := range k.Roles {
		f.Unanswered += b2i(h.State != continuity.RoleTook)
	}
	if len(k.Command) > 0 {
		f.Commanded, f.HandOvers = after(k.Command[0].At), len(k.Command)-1
	}
	f.Declared, f.First, f.Scoped, f.Restored, f.Resolved = after(k.Declared), after(k.Heard), after(k.Scoped), after(k.Restored), after(k.Resolved)
	if f.Restored != nil {
		within := func(limit float64) *bool {
			if limit <= 0 {
				return nil
			}
			ok := f.Down <= limit
			return &ok
		}
		f.WithinRTO, f.WithinMTD = within(f.RTO), within(f.MTD)
	}
	return f, nil
}
