package maintenance

import (
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
)

// Plans are what the plans that hold say of maintenance.
type Plans interface {
	// Of returns the rules of a service; ok is false where there is no plan, or none
	// that could be read.
	Of(service string) (*Rules, bool)
}

// Rules are what a plan says of maintenance.
type Rules struct {
	Service string
	Plan    int64 // the version that holds
	Name    continuity.Text
	Owner   string // of the plan
	Lead    string // the role that is told after the owner; empty: none
	Zone    *time.Location
	Days    *calendar.Workdays
	Hours   []calendar.Hours // of the business, on working days
	Closed  bool             // no relay can stand before it

	Low       []Low // when the plan says that few are there
	Longest   time.Duration
	Notices   []time.Duration // before the beginning, the longest first
	Emergency []time.Duration
	Tell      []string // audiences, by id
	Audiences map[string]Audience
	Ready     []Item // before it begins
	Done      []Item // before people come back
	Runbook   string
	Overrun   string // a scenario
	Batches   []float64
	Course    Course // from its start

	Standby  []Channel // the plan's standby channels
	Contact  continuity.Text
	Meant    continuity.Text // what to do meanwhile, where neither window nor part says it
	Affected map[string]Part // what can be affected, by id
	Whom     continuity.Text // whom a window hits that affects all
}

// Low is a stretch of a day with little to do.
type Low struct {
	Days     map[time.Weekday]bool // nil: every day
	Workdays bool                  // working days
	Holidays bool                  // days off
	From, To time.Duration         // of the local day; To before From is on the next one
}

// Audience is who is told of windows.
type Audience struct {
	ID    string
	Kind  string
	Name  continuity.Text
	Words map[string][]string // by phase that the plan has words for: the fields in them
}

// Item is one thing that must be so. One with a check or a channel is looked at by
// Holdfast; another is ticked off by a person.
type Item struct {
	ID      string
	Say     continuity.Text
	Owner   string                           // a role
	Check   string                           // SERVICE/CHECK that must be up
	Channel string                           // SERVICE/CHANNEL that must have been tested
	Sender  string                           // the node's channel behind it; empty: none
	Until   func(tested time.Time) time.Time // how long its test counts; nil: for good
}

// Channel is a way to reach people.
type Channel struct {
	ID   string
	Name continuity.Text
	How  continuity.Text
}

// Part is what a window can affect.
type Part struct {
	Name  continuity.Text
	Whom  continuity.Text // who works with it
	Meant continuity.Text // what they do meanwhile
}

// find returns one thing that must be so.
func find(items []Item, id string) *Item {
	for i := range items {
		if items[i].ID == id {
			return &items[i]
		}
	}
	return nil
}
