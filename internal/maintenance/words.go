package maintenance

import (
	"time"

	"holdfast/internal/continuity"
)

// vars are what the templates of a window's messages are filled with.
func (w *window) vars(a *Audience) map[string]string {
	vars := map[string]string{}
	put := func(name string, t continuity.Text) {
		if t.En != "" {
			vars[name+"@en"] = t.En
		}
		if t.Zh != "" {
			vars[name+"@zh"] = t.Zh
		}
	}
	put("service", w.rules.Name)
	put("audience", a.Name)
	put("reason", w.Reason)
	vars["start"], vars["end"] = w.clock(w.Start), w.clock(w.End)
	return vars
}

// clock is a time as the service's people say it.
func (w *window) clock(at time.Time) string {
	return at.In(w.rules.Zone).Format("2006-01-02 15:04 MST")
}
