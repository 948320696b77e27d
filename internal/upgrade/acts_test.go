package upgrade

import (
	"encoding/json"
	"slices"
	"testing"

	"holdfast/internal/catalogue"
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

// TestWarningsKeepNothingFromBeginning has an upgrade begin with a warning; with something
// that blocks it, only where somebody says why.
func TestWarningsKeepNothingFromBeginning(t *testing.T) {
	for _, c := range []struct{ level, despite, end string }{
		{continuity.FindingWarn, "", continuity.UpgradeDone}, {continuity.FindingBlock, "", continuity.UpgradePlanned}, {continuity.FindingBlock, "the disk grows tonight", continuity.UpgradeDone},
	} {
		t.Run(c.level+" "+c.despite, func(t *testing.T) {
			s := newSim(t, flaw{none: true})
			s.found = []continuity.UpgradeFinding{{ID: "disk", Level: c.level, Reason: continuity.CheckReason{Code: "upgrade.precheck.load"}}}
			s.despite = c.despite
			u := s.live(s.people)
			if u.State != c.end || u.Despite != c.despite || c.end == continuity.UpgradePlanned && u.Failure.Class != continuity.UpgradeCompatibility {
				t.Errorf("%s despite %q: %+v", u.State, u.Despite, u.Failure)
			}
		})
	}
}

// TestAudiencesHearHowItEnded looks at who is told, in words of their own, that an upgrade
// is done or went back.
func TestAudiencesHearHowItEnded(t *testing.T) {
	for what, f := range map[string]flaw{"upgrade.tell.done": {none: true}, "upgrade.tell.rolled-back": {spoils: true}} {
		s := newSim(t, f)
		s.spec.Tell = []continuity.Recipient{{Kind: continuity.ToAudience, ID: "customers"}}
		s.spec.Name = continuity.Text{En: "Web shop", Zh: "网上商城"}
		u := s.live(s.people)
		told := map[string]int{}
		for cursor := ""; ; {
			page, next, err := s.store.List(t.Context(), continuity.Query{Kind: continuity.KindNotification, Service: service, Cursor: cursor, Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range page {
				var n continuity.Notification
				if err := json.Unmarshal(o.Body, &n); err != nil {
					t.Fatal(err)
				}
				if slices.Contains(n.To, s.spec.Tell[0]) {
					told[n.Subject.En+" / "+n.Subject.Zh]++
				}
			}
			if cursor = next; cursor == "" {
				break
			}
		}
		args := catalogue.Args{"name": "Web shop"}
		zh := catalogue.Args{"name": "网上商城"}
		want := catalogue.Text(catalogue.En, what+".subject", args) + " / " + catalogue.Text(catalogue.Zh, what+".subject", zh)
		if len(told) != 1 || told[want] != 1 {
			t.Errorf("%s: %v, want %s", u.State, told, want)
		}
	}
}

// TestAFailureBearsTheClassThatAPersonGives has a person send a released version back, for
// each reason that there is; what names none is refused.
func TestAFailureBearsTheClassThatAPersonGives(t *testing.T) {
	for _, class := range []string{continuity.UpgradeCompatibility, continuity.UpgradeMigration, continuity.UpgradeOperator, continuity.UpgradeSecurity} {
		s, done := newSim(t, flaw{none: true}), false
		u := s.live(func(u *continuity.Upgrade) {
			s.people(u)
			if u.State != continuity.UpgradeBaking || done {
				return
			}
			done = true
			if _, err := s.acts.Rollback(s.Context(), zhang, u.ID, continuity.VersionAny, "found while it bakes", "weather"); continuity.CodeOf(err) != continuity.CodeInvalid {
				t.Error(err)
			}
			if _, err := s.acts.Rollback(s.Context(), zhang, u.ID, continuity.VersionAny, "found while it bakes", class); err != nil {
				t.Fatal(err)
			}
		})
		if u.State != continuity.UpgradeRolled || u.Failure == nil || u.Failure.Class != class {
			t.Errorf("%s, want %s: %+v", u.State, class, u.Failure)
		}
	}
}
