package config

import "holdfast/internal/yamldoc"

// The words of the table of fields.
type (
	place        = yamldoc.Place
	block        = yamldoc.Mark
	value[T any] = yamldoc.Value[T]
	list[T any]  = yamldoc.List[T]
	headerMap    = yamldoc.HeaderMap
	findings     = yamldoc.Findings
	fault        = yamldoc.Fault
)

// language is what is particular to relay.yaml.
var language = &yamldoc.Language{
	Name:    "relay.yaml",
	Kinds:   kinds,
	Roots:   []string{"routes"},
	Entries: []string{"hold.except", "hold.amount.caps", "priority.classes", "approvals.above", "reply.channels", "block"},
	Later:   []string{"poison.notify", "answer.template"},
	Secret:  secretScalar,
}
