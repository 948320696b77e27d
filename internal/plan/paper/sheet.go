package paper

import (
	"strings"
	"unicode"

	"holdfast/internal/catalogue"
	"holdfast/internal/plan"
	"holdfast/internal/plan/bia"
)

// Import makes of the rows of a business impact analysis the beginning of a
// plan; answers and the day are the caller's to add. Nothing is made while a
// row can't be taken.
//
// Ids are made of names (slug): the process's alone, or together with its
// department's where several have one of that name. What a plan has no field
// for, or says by words of its own, stands behind the process as a comment.
func Import(rows []bia.Row, lang catalogue.Lang) (plan.Beginning, []bia.Problem) {
	out := plan.Beginning{Notes: map[string][]string{}}
	var problems []bia.Problem
	taken, ways := ids{}, map[string]string{}
	interim, same := ids{}, map[string]int{}
	for i := range rows {
		same[slug(rows[i].Process)]++
	}
	for i := range rows {
		row := &rows[i]
		name := slug(row.Process)
		if name == "" {
			problems = append(problems, bia.Problem{Sheet: row.Sheet, Cell: row.At, ID: "bia.no-id", Args: catalogue.Args{"text": row.Process}})
			continue
		}
		if same[name] > 1 {
			name = strings.TrimPrefix(slug(row.Department)+"-"+name, "-")
		}
		id := taken.give(name)
		p := plan.Process{
			Process: id, Name: both(row.Process), Department: both(row.Department),
			MTD: row.MTD.Duration, RTO: row.RTO.Duration, RPO: row.RPO.Duration,
		}
		if row.Loss.Parts != 0 {
			p.Loss = plan.Loss{Money: plan.Money(row.Loss.Money), Per: row.Loss.Per}
		}
		for _, stage := range row.OverTime {
			if stage.Currency != "" {
				p.OverTime = append(p.OverTime, plan.Stage{After: stage.After, Loss: plan.Money(stage.Money)})
			}
		}
		if how := tidy(row.Meantime); how != "" {
			if ways[how] == "" {
				ways[how] = interim.give("meanwhile-" + id)
				out.Interim = append(out.Interim, plan.Interim{ID: ways[how], Name: both(row.Process), How: both(how)})
			}
			p.Meanwhile = ways[how]
		}
		for _, note := range []struct{ id, text string }{{"owner", row.Owner}, {"effects", row.Effects}, {"needs", row.Needs}} {
			if text := tidy(note.text); text != "" {
				out.Notes[id] = append(out.Notes[id], catalogue.Text(lang, "bia.note-"+note.id, catalogue.Args{"text": text}))
			}
		}
		if out.Recover == 0 || p.RTO < out.Recover {
			out.Recover = p.RTO
		}
		out.Impact = append(out.Impact, p)
	}
	if problems != nil {
		return plan.Beginning{}, problems
	}
	return out, nil
}

func both(text string) plan.Text {
	text = tidy(text)
	return plan.Text{En: text, Zh: text}
}

// tidy leaves out what can't be seen: a plan refuses it.
func tidy(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Cf, r), unicode.IsControl(r) && !unicode.IsSpace(r):
			return -1
		case unicode.IsSpace(r):
			return ' '
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}
