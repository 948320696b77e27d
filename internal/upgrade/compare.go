package upgrade

import (
	"fmt"
	"strconv"

	"holdfast/internal/continuity"
)

// compare says what of data is not as it was, or as it has to be. Once requests reach
// the program (live), rows come and go: what holds at all times has to hold. exact is
// for data that was brought back: nothing may differ.
func compare(before, now *continuity.UpgradePicture, live, exact bool) (all []Problem) {
	wrong := func(what string, f continuity.UpgradeFigure, was string) {
		all = append(all, Problem{Class: continuity.UpgradeMigration, Data: true, Reason: continuity.CheckReason{
			Code: "upgrade.data." + what, Args: map[string]any{"of": f.Of, "was": was, "is": f.Value},
		}})
	}
	if exact && before.Schema != now.Schema {
		wrong("schema", continuity.UpgradeFigure{Value: now.Schema}, before.Schema)
	}
	is := map[string]continuity.UpgradeFigure{}
	for _, f := range now.Figures {
		is[f.Measure+"/"+f.Of] = f
		if f.Measure == continuity.UpgradeMeasureInvariant && f.Expect != "" && f.Value != f.Expect {
			wrong("invariant", f, f.Expect)
		}
	}
	for _, was := range before.Figures {
		f, there := is[was.Measure+"/"+was.Of]
		switch {
		case !there:
			wrong("gone", continuity.UpgradeFigure{Of: was.Of, Value: "-"}, was.Value)
		case was.Measure == continuity.UpgradeMeasureOrphans:
			if more(was.Value, f.Value) {
				wrong("orphans", f, was.Value)
			}
		case live, was.Value == f.Value, f.Expect != "": // the one right value was looked at
		case was.Measure == continuity.UpgradeMeasureMore && !exact:
			if more(f.Value, was.Value) {
				wrong("rows", f, was.Value)
			}
		case was.Measure == continuity.UpgradeMeasureRows, was.Measure == continuity.UpgradeMeasureMore:
			wrong("rows", f, was.Value)
		case was.Measure == continuity.UpgradeMeasureHash:
			wrong("hash", f, was.Value)
		default:
			wrong("invariant", f, was.Value)
		}
	}
	return all
}

// Differ says what of data is not as it was before, or as it has to be. exact: nothing
// may differ, as migrations went back.
func Differ(before, now *continuity.UpgradePicture, exact bool) (all []continuity.CheckReason) {
	for _, p := range compare(before, now, false, exact) {
		all = append(all, p.Reason)
	}
	return all
}

// more reports whether a count has grown.
func more(was, is string) bool {
	a, err := strconv.ParseInt(was, 10, 64)
	b, err2 := strconv.ParseInt(is, 10, 64)
	if err != nil || err2 != nil {
		return was != is
	}
	return b > a
}

// wayBack is how data goes back; now is nil where it can't be looked at any more.
func wayBack(s *Spec, u *continuity.Upgrade, now *continuity.UpgradePicture) string {
	live := !u.Released.IsZero()
	switch {
	case s.Data.Back == "" || u.Before == nil:
		return continuity.UpgradeUntouched
	case now == nil:
		return continuity.UpgradeRestore
	case !live && len(compare(u.Before, now, false, true)) == 0:
		return continuity.UpgradeUntouched
	case u.Failure.Data || u.Back.NotDown || s.Data.Back == BackRestore || len(compare(u.Before, now, live, false)) > 0:
		return continuity.UpgradeRestore
	case live && now.Schema == u.Before.Schema:
		return continuity.UpgradeUntouched
	case s.Data.Back == BackDown:
		return continuity.UpgradeDown
	case u.Rehearsal == nil || u.Rehearsal.Down == 0: // nobody has seen the way down lead back
		return continuity.UpgradeRestore
	case live || u.Rehearsal.Down <= u.Rehearsal.Restore: // what was done since stays there
		return continuity.UpgradeDown
	}
	return continuity.UpgradeRestore
}

// limits are what all who agreed would let be undone.
func limits(s *Spec, u *continuity.Upgrade) Limits {
	l := s.Limits
	for _, a := range u.Approvals {
		l.Minutes, l.Records = min(l.Minutes, a.Minutes), min(l.Records, a.Records)
	}
	return l
}

// keyOf names an effect of an attempt.
func keyOf(u *continuity.Upgrade, stage string) string {
	n := u.Attempt
	if u.State == continuity.UpgradeRolling {
		n = u.Rollbacks
	}
	return fmt.Sprintf("%s/%s-%d", u.ID, stage, n)
}
