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

// TestARefusalIsNoRollbackInVain has a backup not be restored as the key is missing: it is
// not tried again and again, and a person is asked, who has it go on.
func TestARefusalIsNoRollbackInVain(t *testing.T) {
	s := newSim(t, flaw{spoils: true})
	s.refuse = map[string]error{"restore": continuity.E(continuity.CodeNoKey, nil, "detail_id", "keeping.invalid.keys", "file", "keys")}
	asked := 0
	u := s.live(func(u *continuity.Upgrade) {
		s.people(u)
		if u.State != continuity.UpgradeWaiting || u.Asks == nil || u.Asks.Code != "keeping.invalid.keys" {
			return
		}
		asked++
		tried := 0
		for _, name := range s.names {
			if name == "restore" {
				tried++
			}
		}
		if u.Rollbacks != 1 || tried != 1 || !s.held {
			t.Errorf("%d rollbacks, restored %d times, held %t", u.Rollbacks, tried, s.held)
		}
		s.refuse = nil
		if _, err := s.acts.Rollback(s.Context(), zhang, u.ID, continuity.VersionAny, "the key is there again", ""); err != nil {
			t.Fatal(err)
		}
	})
	if wrong := s.right(&u); u.State != continuity.UpgradeRolled || asked != 1 || len(wrong) > 0 {
		t.Errorf("%s after it was asked %d times: %v %v", u.State, asked, wrong, u.Trail)
	}
}
