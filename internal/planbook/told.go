package planbook

import (
	"holdfast/internal/catalogue"
	"holdfast/internal/yamldoc"
)

// PlanProblem is what is wrong with a plan, or may be, in words.
type PlanProblem struct {
	yamldoc.Problem

	Text string `json:"text"`
	Hint string `json:"hint"`
}

// Tell puts problems into words.
func Tell(lang catalogue.Lang, problems []yamldoc.Problem) []PlanProblem {
	told := make([]PlanProblem, len(problems))
	for i, p := range problems {
		told[i] = PlanProblem{p, p.What(lang), p.Hint(lang)}
	}
	return told
}
