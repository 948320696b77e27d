package control

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/api"
	"holdfast/internal/backupkey"
	"holdfast/internal/continuity"
	"holdfast/internal/upgrade"
)

// TestAnUpgradeAsksForFreshBackups has the gate of an upgrade take a backup that is proven
// and fresh, and have another one made and proven of one that is old.
func TestAnUpgradeAsksForFreshBackups(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "data", "goods")
	for _, d := range []string{source, filepath.Join(dir, "near"), filepath.Join(dir, "far")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(source, "prices"), "tea 20\n")
	if _, err := backupkey.Create(filepath.Join(dir, "keys"), backupkey.Guard{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	n := run(t, settings(t, dir, "backup:\n  key: keys\n  scratch: "+passable(t)+"\n  folders: ["+filepath.Join(dir, "data")+"]\n  targets:\n"+
		"    - {id: nas, url: "+filepath.Join(dir, "near")+", copy: local}\n    - {id: far, url: \"folder:"+filepath.Join(dir, "far")+"\", copy: remote}\n"))
	keepGoods(t, n, source)
	until(t, "the set is known", func() bool {
		set, err := n.backups.Set(t.Context(), "shop", "goods")
		return err == nil && set.Full != nil
	})
	ready := func(fresh time.Duration) continuity.UpgradeSet {
		t.Helper()
		sets, err := upgradeBackups{n}.Ready(t.Context(), upgrade.Call{Spec: &upgrade.Spec{Service: "shop", Sets: []string{"goods"}, Fresh: fresh}})
		if err != nil || len(sets) != 1 {
			t.Fatal(sets, err)
		}
		return sets[0]
	}
	until(t, "the set is ready", func() bool { return ready(time.Hour).Lacks == nil })
	first := ready(time.Hour)
	if first.Backup == "" || first.Taken.IsZero() || first.Proven.IsZero() {
		t.Errorf("%+v", first)
	}
	until(t, "another one is made", func() bool { // it is asked again and again while it lacks anything
		old := ready(time.Nanosecond)
		if old.Lacks == nil || old.Lacks.Code != "upgrade.fault.set-full" {
			t.Fatalf("%+v", old)
		}
		return old.Backup != first.Backup
	})
	until(t, "it is proven", func() bool {
		set := ready(time.Hour)
		return set.Lacks == nil && set.Backup != first.Backup && set.Proven.After(first.Proven)
	})
	far := filepath.Join(dir, "far")
	if err := os.Rename(far, far+" is away"); err != nil {
		t.Fatal(err)
	}
	if lacks := ready(time.Hour).Lacks; lacks == nil || lacks.Code != "upgrade.fault.set-away" || lacks.Args["targets"] != "far" {
		t.Errorf("a target is away: %+v", lacks)
	}
	if err := os.Rename(far+" is away", far); err != nil {
		t.Fatal(err)
	}
	if lacks := ready(time.Hour).Lacks; lacks != nil {
		t.Errorf("it is back: %+v", lacks)
	}
}

// TestARouteThatItsChecksHoldIsNotReleased has what checks and people hold told apart.
func TestARouteThatItsChecksHoldIsNotReleased(t *testing.T) {
	health, check := api.Switch{Owner: continuity.OwnerHealth, Intake: "hold"}, api.Switch{Owner: continuity.OwnerCheck + "login", Intake: "hold"}
	person := api.Switch{Owner: operatorPrefix + "li.wei", Intake: "hold"}
	for name, c := range map[string]struct {
		intake   string
		switches []api.Switch
		want     bool
	}{
		"its health":        {"hold", []api.Switch{health}, true},
		"a check's word":    {"hold", []api.Switch{check}, true},
		"nobody":            {"pass", nil, false},
		"a standby":         {"divert", []api.Switch{health}, false},
		"a person, too":     {"hold", []api.Switch{check, person}, false},
		"a person's replay": {"hold", []api.Switch{check, {Owner: person.Owner, Replay: "off"}}, true},
	} {
		if got := heldByChecks(&api.Route{Intake: c.intake, Switches: c.switches}); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
