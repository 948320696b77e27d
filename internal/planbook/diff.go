package planbook

import (
	"maps"
	"slices"
	"strings"

	"holdfast/internal/continuity"
	"holdfast/internal/plan"
)

// PlanChange is one difference between two versions.
type PlanChange struct {
	Part string `json:"part"` // continuity.PartPlan or PartTech
	plan.Change
}

// The kinds of changes that concern a part as a whole, beside those of package
// plan.
const (
	// Reworded: comments, order of fields or spaces differ, and no meaning.
	Reworded plan.ChangeKind = "reworded"
	// Unread: the texts differ, and one of them can't be read by this program.
	Unread plan.ChangeKind = "unread"
)

// Diff says in which ways two versions differ, by the ids of what changed.
func Diff(service string, before, after continuity.PlanTexts) []PlanChange {
	changes := []PlanChange{}
	for _, part := range after.Differ(before) {
		was, is, files := before.Plan, after.Plan, []plan.Change(nil)
		if part == continuity.PartTech {
			was, is = orNone(before.Tech), orNone(after.Tech)
			files = diffFiles(before.Files, after.Files)
		}
		found := files
		if was != is {
			found = append(diffTexts(service, part, was, is), files...)
		}
		for _, c := range found {
			changes = append(changes, PlanChange{part, c})
		}
	}
	return changes
}

// orNone is the text of a technical file that says nothing.
func orNone(text string) string {
	if text == "" {
		return "schema: holdfast/plan-tech@1\n"
	}
	return text
}

func diffTexts(service, part, was, is string) []plan.Change {
	name := fileName(service)
	if part == continuity.PartTech {
		name = plan.TechName(name)
	}
	changes, problems := plan.Diff(plan.Source{Name: name, Text: []byte(was)}, plan.Source{Name: name, Text: []byte(is)})
	switch {
	case len(problems) > 0:
		return []plan.Change{{Kind: Unread, Where: []string{}}}
	case len(changes) == 0:
		return []plan.Change{{Kind: Reworded, Where: []string{}}}
	}
	return changes
}

func diffFiles(was, is map[string]string) []plan.Change {
	var changes []plan.Change
	names := slices.Concat(slices.Collect(maps.Keys(was)), slices.Collect(maps.Keys(is)))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		a, had := was[name]
		b, has := is[name]
		c := plan.Change{Where: []string{"files", name}, From: lines(a, had), To: lines(b, has)}
		switch {
		case !had:
			c.Kind = plan.Added
		case !has:
			c.Kind = plan.Removed
		case a != b:
			c.Kind = plan.Changed
		default:
			continue
		}
		changes = append(changes, c)
	}
	return changes
}

// lines is the first line of a file, for people to know it by.
func lines(text string, has bool) string {
	if !has {
		return ""
	}
	first, rest, _ := strings.Cut(text, "\n")
	if rest != "" {
		first += " …"
	}
	return first
}

// overlap reports whether two changes concern the same thing, or one of them
// what is inside the other.
func overlap(a, b PlanChange) bool {
	if a.Part != b.Part {
		return false
	}
	n := min(len(a.Where), len(b.Where))
	return slices.Equal(a.Where[:n], b.Where[:n])
}

// touching are those of list that concern what one of others does.
func touching(list, others []PlanChange) []PlanChange {
	found := []PlanChange{}
	for _, c := range list {
		if slices.ContainsFunc(others, func(o PlanChange) bool { return overlap(c, o) }) {
			found = append(found, c)
		}
	}
	return found
}
