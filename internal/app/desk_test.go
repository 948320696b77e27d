package app

import (
	"testing"

	"holdfast/internal/api"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

func TestWarnings(t *testing.T) {
	fine := func() api.Status {
		return api.Status{State: api.StateReady, View: api.ViewState{Open: true}, Routes: []api.Route{{
			ID: "orders", Webhook: &api.Webhook{Told: 7, Failed: 2, Failing: 5}, Counters: api.Counters{Accepted: 5, Pending: 5, Queued: 5, Balanced: true}, Drain: api.Drain{Capacity: 20, Measured: true, Forecast: true},
		}}}
	}
	for id, spoil := range map[string]func(*api.Status){
		"":                func(*api.Status) {},
		"keyless":         func(s *api.Status) { s.State = api.StateKeyless },
		"latched":         func(s *api.Status) { s.State = api.StateLatched },
		"last-good":       func(s *api.Status) { s.Config.LastGood = true },
		"misfit":          func(s *api.Status) { s.Config.LastGood, s.Config.Problems = true, []api.Problem{{ID: idOvertake}} },
		"reload-failed":   func(s *api.Status) { s.Config.Refused = true },
		"view-down":       func(s *api.Status) { s.View.Open = false },
		"view-lag":        func(s *api.Status) { s.View.Lag = 60 },
		"parked":          func(s *api.Status) { s.Routes[0].Counters.Parked = 1 },
		"in-doubt":        func(s *api.Status) { s.Routes[0].Counters.InDoubt = 1 },
		"dead":            func(s *api.Status) { s.Routes[0].Counters.Dead = 1 },
		"unbalanced":      func(s *api.Status) { s.Routes[0].Counters.Balanced = false },
		"credentials":     func(s *api.Status) { s.Routes[0].Drain.Paused = "credentials" },
		"capacity":        func(s *api.Status) { s.Routes[0].Counters.Pending = 1201 },
		"expire-first":    func(s *api.Status) { s.Routes[0].Drain.ExpireFirst = true },
		"removed":         func(s *api.Status) { s.Routes[0].Removed = true },
		"webhook-gone":    func(s *api.Status) { s.Routes[0].Webhook = &api.Webhook{Gone: true} },
		"webhook-failing": func(s *api.Status) { s.Routes[0].Webhook = &api.Webhook{Failing: 60, Waiting: 3} },
		"forced":          func(s *api.Status) { s.Routes[0].Switches = []api.Switch{{Owner: "operator:li.wei", Force: true}} },
	} {
		t.Run(id, func(t *testing.T) {
			s := fine()
			spoil(&s)
			d := &desk{&App{}}
			if s.State == api.StateKeyless {
				d.keyless = continuity.E(continuity.CodeNoKey, nil)
			}
			got := d.warnings(s)
			switch {
			case id == "" && len(got) == 0:
			case len(got) != 1 || got[0].ID != id:
				t.Errorf("got %+v", got)
			default:
				for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
					full := "api.warning." + id
					if text := catalogue.Text(lang, full, got[0].Args); text == full {
						t.Errorf("no text in %s", lang)
					}
				}
			}
		})
	}
}
