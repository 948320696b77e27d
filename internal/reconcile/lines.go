package reconcile

import (
	"fmt"
	"strings"
	"unicode"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// Lines tells the report to a person.
func (r *Report) Lines(lang catalogue.Lang) []string {
	t := teller{lang: lang}
	t.say("", "reconciliation.head", catalogue.Args{"route": r.Route, "records": r.Records, "upstream": r.Upstream})
	if r.Passed > 0 {
		t.say("", "reconciliation.passed", catalogue.Args{"passed": r.Passed})
	}
	for _, s := range r.States {
		t.say("  ", "reconciliation.state", catalogue.Args{"state": t.state(s.State), "count": s.Count, "sums": money(s.Sums)})
		if s.NoAmount > 0 {
			t.say("  ", "reconciliation.no-amount", catalogue.Args{"state": t.state(s.State), "count": s.NoAmount})
		}
	}
	t.say("  ", "reconciliation.found", catalogue.Args{"found": r.Found, "delivered": max(r.Found, r.Count(continuity.Delivered))})
	if len(r.Sums) > 0 {
		t.say("  ", "reconciliation.sums", catalogue.Args{"sums": money(r.Sums)})
	}
	if r.Unreadable > 0 {
		t.say("  ", "reconciliation.unreadable", catalogue.Args{"count": r.Unreadable})
	}
	t.list("reconciliation.missing", r.Missing, "reconciliation.finding")
	t.list("reconciliation.doubled", r.Doubled, "reconciliation.finding.doubled")
	t.list("reconciliation.differing", r.Differing, "reconciliation.finding.amounts")
	t.list("reconciliation.there", r.There, "reconciliation.finding")
	if s := r.Settled; s != nil {
		t.settled(s)
	}
	if r.Clean() {
		t.say("", "reconciliation.clean", nil)
	}
	if n := r.Pending(); n > 0 {
		t.say("", "reconciliation.pending", catalogue.Args{"count": n})
	}
	return t.lines
}

// settled tells what only a settlement file has.
func (t *teller) settled(s *Settled) {
	const clock = "2006-01-02 15:04 -07:00"
	t.say("", "reconciliation.settled", catalogue.Args{
		"from": s.From.Format(clock), "to": s.To.Format(clock), "lines": s.Lines, "below": s.Below,
	})
	if s.Refunds > 0 {
		t.say("  ", "reconciliation.refunds", catalogue.Args{"count": s.Refunds, "sums": money(s.RefundSums)})
	}
	if len(s.Fees) > 0 {
		t.say("  ", "reconciliation.fees", catalogue.Args{"fees": money(s.Fees), "net": money(s.Net)})
	}
	if s.OtherDays > 0 {
		t.say("  ", "reconciliation.other-days", catalogue.Args{"count": s.OtherDays})
	}
	t.list("reconciliation.nearby", s.Nearby, "reconciliation.finding")
	t.list("reconciliation.miscounted", s.Miscounted, "reconciliation.finding.line")
}

type teller struct {
	lang  catalogue.Lang
	lines []string
}

func (t *teller) say(indent, id string, args catalogue.Args) {
	t.lines = append(t.lines, indent+strings.TrimRight(catalogue.Text(t.lang, id, args), " "))
}

func (t *teller) state(name string) string {
	return catalogue.Text(t.lang, "reconciliation.state."+name, nil)
}

func (t *teller) amount(text string) string {
	if text == unread {
		return catalogue.Text(t.lang, "reconciliation.unread", nil)
	}
	return text
}

func (t *teller) list(id string, l List, each string) {
	if l.Total == 0 {
		return
	}
	t.say("", id, catalogue.Args{"total": l.Total})
	for _, f := range l.Findings {
		t.say("  ", each, catalogue.Args{
			"key": printable(f.Key), "receipt": f.Receipt[:min(8, len(f.Receipt))], "state": t.state(f.State), "line": f.Line,
			"rows": f.Rows, "records": f.Records, "ours": t.amount(f.Ours), "theirs": t.amount(f.Theirs), "currency": f.Currency,
		})
	}
	if left := l.Total - int64(len(l.Findings)); left > 0 {
		t.say("  ", "reconciliation.more", catalogue.Args{"count": left})
	}
}

// printable keeps a key that a customer chose from steering a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

func money(sums []Sum) string {
	parts := make([]string, len(sums))
	for i, s := range sums {
		parts[i] = strings.TrimRight(fmt.Sprint(s.Amount, " ", s.Currency), " ")
	}
	return strings.Join(parts, ", ")
}
