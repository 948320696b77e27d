package catalogue

import (
	"encoding/json"
	"strings"
)

// Happened is what an event's action is called: "task given" for task.assigned. An
// action that has no words is shown as it is.
func Happened(lang Lang, action string) string {
	for _, id := range []string{"event." + action, action} {
		if text := Text(lang, id, nil); text != id {
			return text
		}
	}
	return action
}

// Because puts an engine's reason for an event into words. It is a code of the
// catalogue with what fills it ([holdfast/internal/continuity.CheckReason.Line]), or what
// names the cause, and behind semicolons what else happened.
func Because(lang Lang, kind, reason string) string {
	code, filled, _ := strings.Cut(reason, " ")
	var args Args
	if filled == "" || json.Unmarshal([]byte(filled), &args) == nil {
		if text := Text(lang, code, args); text != code {
			return text
		}
	}
	parts := strings.Split(reason, "; ")
	for i, part := range parts[1:] {
		what, of, _ := strings.Cut(part, " ")
		if text := Happened(lang, kind+"."+what); text != kind+"."+what {
			parts[i+1] = strings.TrimSpace(text + " " + of)
		}
	}
	between := "; "
	if lang == Zh {
		between = "；"
	}
	return strings.Join(parts, between)
}
