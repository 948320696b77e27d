package watch

import (
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// Say tells people why a check is as it is; of a flow it names the step.
func Say(lang catalogue.Lang, reason continuity.CheckReason) string {
	if reason.Code == "" {
		return ""
	}
	text := catalogue.Text(lang, reason.Code, reason.Args)
	if reason.Step == "" {
		return text
	}
	return catalogue.Text(lang, "watch.in-step", catalogue.Args{"step": reason.Step, "reason": text})
}
