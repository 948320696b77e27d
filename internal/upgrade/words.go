package upgrade

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// both makes a text of the catalogue in both languages.
func both(id string, args func(catalogue.Lang) catalogue.Args) continuity.Text {
	return continuity.Text{En: catalogue.Text(catalogue.En, id, args(catalogue.En)), Zh: catalogue.Text(catalogue.Zh, id, args(catalogue.Zh))}
}

func in(t continuity.Text, lang catalogue.Lang, or string) string {
	if lang == catalogue.Zh {
		return cmp.Or(t.Zh, t.En, or)
	}
	return cmp.Or(t.En, t.Zh, or)
}

// Because says reasons in a language, each once.
func Because(lang catalogue.Lang, reasons ...continuity.CheckReason) string {
	var all []string
	for _, why := range reasons {
		text := catalogue.Text(lang, why.Code, why.Args)
		if !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return strings.Join(all, map[catalogue.Lang]string{catalogue.En: "; ", catalogue.Zh: "；"}[lang])
}

// say tells those who answer for an upgrade of it; what was said before that waits for
// somebody is over. Audiences hear of its end.
func (t *turn) say(what, urgency string) {
	args := func(lang catalogue.Lang) catalogue.Args {
		a := catalogue.Args{
			"id": t.ID, "service": t.Service, "name": in(t.spec.Name, lang, t.Upgrade.Upgrade), "from": t.From, "to": t.To, "good": t.Good,
			"why": "", "asks": "", "way": "", "again": int64(0), "class": "", "bake": clock(t.Bake, t.spec.Zone), "items": strings.Join(t.lackItems(lang), "\n"),
			"minutes": t.spec.Limits.Minutes,
		}
		SayRecords(a, "records", t.spec.Limits.Records)
		if t.Failure != nil {
			a["why"], a["class"] = Because(lang, t.Failure.Reasons...), catalogue.Text(lang, "upgrade.class."+t.Failure.Class, nil)
		}
		if t.Asks != nil {
			a["asks"] = Because(lang, *t.Asks)
		}
		if t.Back != nil {
			a["way"], a["again"] = catalogue.Text(lang, "upgrade.way."+or(t.Back.Way, continuity.UpgradeUntouched), nil), t.Back.Redelivered
		}
		return a
	}
	n := continuity.Notification{Urgency: urgency, Subject: both("upgrade.say."+what+".subject", args), Text: both("upgrade.say."+what+".text", args)}
	n.To, n.Escalate = t.spec.people()
	n.Ends = t.Over()
	t.tell(n)
	if what == "done" || what == "rolled-back" {
		for _, to := range t.spec.Tell {
			t.tell(continuity.Notification{
				Urgency: continuity.UrgencyInfo, To: []continuity.Recipient{to},
				Subject: both("upgrade.tell."+what+".subject", args), Text: both("upgrade.tell."+what+".text", args),
			})
		}
	}
}

// people are who is told first, and after them.
func (s *Spec) people() (to, escalate []continuity.Recipient) {
	if s.Technical != "" {
		to = append(to, continuity.Recipient{Kind: continuity.ToRole, ID: s.Technical})
		escalate = append(escalate, continuity.Recipient{Kind: continuity.ToDeputies, ID: s.Technical})
	} else {
		to = append(to, continuity.Recipient{Kind: continuity.ToPerson, ID: s.Owner})
	}
	if s.Commander != "" && s.Commander != s.Technical {
		escalate = append(escalate, continuity.Recipient{Kind: continuity.ToRole, ID: s.Commander}, continuity.Recipient{Kind: continuity.ToDeputies, ID: s.Commander})
	}
	return to, escalate
}

func (t *turn) lackItems(lang catalogue.Lang) (all []string) {
	for _, i := range t.spec.Before {
		if !slices.Contains(t.Ticked, i.ID) {
			all = append(all, i.ID+": "+in(i.Say, lang, i.ID))
		}
	}
	return all
}

// clock is a time as the service's people say it.
func clock(at time.Time, zone *time.Location) string {
	if at.IsZero() {
		return "-"
	}
	if zone == nil {
		zone = time.UTC
	}
	return at.In(zone).Format("2006-01-02 15:04 UTC-07:00")
}
