package upgrade

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/runbook"
)

// book is the upgrade's runbook.
type book struct{ *sim }

func (b book) Script(context.Context, string, int64, string) (*runbook.Script, error) {
	s := &runbook.Script{Service: service, Plan: 3, Runbook: "upgrade", Steps: slices.Clone(b.first), Roles: map[string]runbook.Role{
		"technical": {People: []string{"chen.jie", "wu.hao"}}, "commander": {People: []string{"li.wei", "zhang.min"}},
	}}
	before := ""
	if len(b.first) > 0 {
		before = b.first[len(b.first)-1].ID
	}
	for _, part := range []string{PartStop, PartPut, PartMigrate, PartStart} {
		step := runbook.Step{ID: part, Do: ActionStart, With: map[string]string{"part": part}, Owner: "li.wei"}
		if before != "" {
			step.After = []string{before}
		}
		before = part
		s.Steps = append(s.Steps, step)
	}
	return s, nil
}

func (book) Look(context.Context, string, *runbook.Condition) (well bool, why continuity.CheckReason) {
	return true, why
}

// asking is an upgrade whose runbook asks a person first.
func asking(t *testing.T) *sim {
	t.Helper()
	s := newSim(t, flaw{none: true})
	s.first = []runbook.Step{{ID: "cable", Say: continuity.Text{En: "Move the cable.", Zh: "改接线缆。"}, Owner: "technical", Within: time.Minute}}
	return s
}

// told are those who were told of a step, in order.
func (s *sim) told(step string) (all [][]continuity.Recipient) {
	s.Helper()
	var found []continuity.Notification
	for cursor := ""; ; {
		page, next, err := s.store.List(s.Context(), continuity.Query{Kind: continuity.KindNotification, Service: service, Cursor: cursor, Limit: 100})
		if err != nil {
			s.Fatal(err)
		}
		for _, o := range page {
			var n continuity.Notification
			if err := json.Unmarshal(o.Body, &n); err != nil {
				s.Fatal(err)
			}
			if strings.HasSuffix(n.About, "/"+step) && !n.Ends {
				found = append(found, n)
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	slices.SortFunc(found, func(a, b continuity.Notification) int { return a.At.Compare(b.At) })
	for _, n := range found {
		if n.Urgency != continuity.UrgencyPage {
			s.Errorf("requests are held, and %+v is no page", n)
		}
		all = append(all, n.To)
	}
	return all
}

// TestASilentPersonIsEscalatedPast has nobody answer who a step of an upgrade asks, until
// those in command are told: one of them does it, and the upgrade goes on.
func TestASilentPersonIsEscalatedPast(t *testing.T) {
	s := asking(t)
	acts := runbook.NewActs(runbook.ActsOptions{Store: s.store, Plans: book{s}, Now: func() time.Time { return s.now }})
	want := []continuity.Recipient{
		{Kind: continuity.ToRole, ID: "technical"}, {Kind: continuity.ToRole, ID: "technical"}, // it is late
		{Kind: continuity.ToDeputies, ID: "technical"}, {Kind: continuity.ToRole, ID: "commander"},
	}
	var asked, done time.Time
	u := s.live(func(u *continuity.Upgrade) {
		s.people(u)
		if u.State != continuity.UpgradeStepping || !done.IsZero() {
			return
		}
		if asked.IsZero() {
			asked = s.now
		}
		if told := s.told("cable"); len(told) == len(want) {
			done = s.now
			if _, err := acts.Done(s.Context(), runbook.Who{Actor: zhang, All: true}, u.Run, "cable", continuity.VersionAny, runbook.Word{}); err != nil {
				t.Fatal(err)
			}
		}
	})
	told := s.told("cable")
	if u.State != continuity.UpgradeDone || len(told) < len(want) {
		t.Fatalf("%s, told %v", u.State, told)
	}
	for i, to := range want {
		if !slices.Equal(told[i], []continuity.Recipient{to}) {
			t.Errorf("%v were told at %d, not %v", told[i], i, to)
		}
	}
	if waited := done.Sub(asked); waited < time.Minute {
		t.Errorf("others were told after %s", waited)
	}
	if wrong := s.right(&u); len(wrong) > 0 {
		t.Error(wrong)
	}
}

// TestWhatNobodyDoesGoesBack has nobody answer at all: the upgrade goes back before
// customers have waited longer than they may, and finds by itself that people failed.
func TestWhatNobodyDoesGoesBack(t *testing.T) {
	s := asking(t)
	s.spec.Longest = 8 * time.Minute
	u := s.live(s.people)
	if u.State != continuity.UpgradeRolled || u.Failure.Class != continuity.UpgradeOperator || u.Failure.Reasons[0].Code != "upgrade.fault.long" {
		t.Errorf("%s %+v", u.State, u.Failure)
	}
	if told := s.told("cable"); len(told) < 3 {
		t.Errorf("told %v", told)
	}
	if wrong := s.right(&u); len(wrong) > 0 {
		t.Error(wrong)
	}
}

// TestALostRunnerIsAnOperatorsFailure has nobody lead the upgrade for longer than it may be
// alone while requests are held: whoever leads next goes back.
func TestALostRunnerIsAnOperatorsFailure(t *testing.T) {
	s, lost := newSim(t, flaw{none: true}), false
	u := s.live(func(u *continuity.Upgrade) {
		s.people(u)
		if u.State == continuity.UpgradeStepping && !lost {
			lost, s.killed = true, true
			s.now = s.now.Add(s.spec.lost() + time.Second)
		}
	})
	if u.State != continuity.UpgradeRolled || u.Failure.Class != continuity.UpgradeOperator || u.Failure.Reasons[0].Code != "upgrade.fault.lost" {
		t.Errorf("%s %+v", u.State, u.Failure)
	}
	if wrong := s.right(&u); len(wrong) > 0 {
		t.Error(wrong)
	}
}

// TestWhoIsRefusedIsNoCompatibility has a relay refuse the node that is to hold, as its
// token is not the right one: the engine finds by itself that it is of security.
func TestWhoIsRefusedIsNoCompatibility(t *testing.T) {
	for code, class := range map[continuity.Code]string{
		continuity.CodeForbidden: continuity.UpgradeSecurity, continuity.CodeScope: continuity.UpgradeSecurity, continuity.CodeLogin: continuity.UpgradeSecurity,
		continuity.CodeUnreachable: continuity.UpgradeOperator,
	} {
		t.Run(string(code), func(t *testing.T) {
			s := newSim(t, flaw{none: true})
			s.refuse = map[string]error{"hold": fmt.Errorf("hold: %w", continuity.E(code, nil))}
			u := s.live(func(u *continuity.Upgrade) {
				if s.people(u); u.State == continuity.UpgradeRolling {
					s.refuse = nil // a person mends it
				}
			})
			if u.State != continuity.UpgradeRolled || u.Failure == nil || u.Failure.Class != class {
				t.Errorf("%s, want %s: %+v", u.State, class, u.Failure)
			}
			if wrong := s.right(&u); len(wrong) > 0 {
				t.Error(wrong)
			}
		})
	}
}
