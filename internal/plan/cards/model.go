package cards

import (
	"time"

	"holdfast/internal/catalogue"
)

// Words are a text and the place where the plan says it, for errors.
type Words struct {
	Text, At string
}

// Plan is what of a plan goes on paper, in one language.
type Plan struct {
	Lang       catalogue.Lang
	Service    Words
	Version    Words
	Made       time.Time // the date on the paper, and of the file: not the clock's
	ValidUntil time.Time // zero: not said
	Leads      []Person  // in the order in which they are called
	Talk       []Channel // in the order in which they are tried
	Grades     []Grade
	Scenarios  []Scenario // one card each
	Checklists []Checklist
	Selfhelp   []Guide
}

// Person leads, or stands in for who does.
type Person struct {
	Role, Name, Phone Words
	Deputy            bool
}

// Channel is where people talk while the usual way is gone.
type Channel struct {
	Name, How Words
}

// Grade is how hard it hits, and what is promised then.
type Grade struct {
	Name, When                    Words
	FirstMessage, Update, Recover time.Duration // zero: not said
}

// Scenario is a failure, and what is done about it.
type Scenario struct {
	Name  Words
	Grade Words // the name of one of the grades
	Steps []Step
}

// Step is one act.
type Step struct {
	Say, Who Words
	Within   time.Duration // zero: not said
}

// Checklist is what people tick off.
type Checklist struct {
	Name, Owner Words
	Items       []Words
}

// Guide is what whoever has the trouble can do.
type Guide struct {
	Name  Words
	Steps []Words
}
