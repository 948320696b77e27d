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
	Roles      []Role    // in the order in which they are called
	Talk       []Channel // standby channels, in the order in which they are tried
	Providers  []Provider
	Grades     []Grade
	Scenarios  []Scenario // one card each
	Interim    []Interim  // one card each
	Runbooks   []Runbook
	Messages   []Message
	Checklists []Checklist
	Selfhelp   []Guide
}

// Role decides and does. The first of its people leads, the rest stand in.
type Role struct {
	Name   Words
	May    Words // what it decides; empty: nothing
	People []Person
}

// Person has a name and, it is to be hoped, a number.
type Person struct {
	Name, Phone Words
}

// Channel is where people talk while the usual way is gone.
type Channel struct {
	Name, How Words
}

// Provider is whom one calls outside.
type Provider struct {
	Name, Phone Words
	Ways        []Words // mail, page, contract
}

// Grade is how hard it hits, and what is promised then.
type Grade struct {
	Name, When                    Words
	FirstMessage, Update, Recover time.Duration // zero: not said
}

// Scenario is a failure, and what is done about it.
type Scenario struct {
	Name      Words
	Grade     Words // the name of one of the grades
	Steps     []Step
	Runbook   Words  // that has all steps
	Roles     []Role // those of its steps; none: all of the plan
	Talk      []Channel
	Meanwhile []Interim
	Providers []Provider
}

// Interim is how a department works meanwhile.
type Interim struct {
	Name, How Words
	For       []Words       // departments and processes
	Approved  Words         // by whom, and on which day
	Lasts     time.Duration // zero: not said
	Checklist Words         // empty: none
}

// Runbook is all steps, to be ticked off on paper.
type Runbook struct {
	Name, About Words
	Steps       []Step
}

// Step is one act.
type Step struct {
	Say, Who Words
	Within   time.Duration // zero: not said
	Also     []Words       // in small: what shows that it worked, what happens if not
}

// Message is what is told to whom, with gaps for a pen.
type Message struct {
	Name, Text Words
}

// Checklist is what people tick off.
type Checklist struct {
	Name, Owner Words
	Items       []Item
}

// Item is a line to tick off.
type Item struct {
	Say, Who Words
}

// Guide is what whoever has the trouble can do.
type Guide struct {
	Name  Words
	Steps []Words
}
