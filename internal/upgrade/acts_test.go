package upgrade

import (
	"testing"

	"holdfast/internal/continuity"
)

// TestAPersonAbortsAtAnyTime has somebody abort at each state: before anything was
// touched the upgrade just ends, afterwards it goes back.
func TestAPersonAbortsAtAnyTime(t *testing.T) {
	for state, end := range map[string]string{
		continuity.UpgradeGate: continuity.UpgradeAborted, continuity.UpgradeHolding: continuity.UpgradeRolled, continuity.UpgradeStepping: continuity.UpgradeRolled,
		continuity.UpgradeReleasing: continuity.UpgradeRolled, continuity.UpgradeBaking: continuity.UpgradeRolled,
	} {
		t.Run(state, func(t *testing.T) {
			s := newSim(t, flaw{none: true})
			aborted := false
			u := s.live(func(u *continuity.Upgrade) {
				s.people(u)
				if u.State == state && !aborted {
					aborted = true
					if _, err := s.acts.Abort(s.Context(), zhang, u.ID, continuity.VersionAny, "wrong package", ""); err != nil {
						t.Fatal(err)
					}
				}
			})
			if u.State != end || u.Failure == nil || u.Failure.Class != continuity.UpgradeOperator {
				t.Errorf("%s, want %s: %+v", u.State, end, u.Failure)
			}
			if wrong := s.right(&u); len(wrong) > 0 {
				t.Error(wrong)
			}
		})
	}
}
