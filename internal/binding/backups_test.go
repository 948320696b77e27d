package binding_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/binding"
	"holdfast/internal/catalogue"
	"holdfast/internal/plan"
)

func TestSetsOfAPlan(t *testing.T) {
	p := parsed(t, upgrade, read(t, plan.TechName(upgrade)))
	sets := binding.Sets(p)
	if len(sets) != 2 || sets[0].Key() != "order-upgrade/orders-live" || sets[1].Key() != "order-upgrade/master-data" {
		t.Fatalf("%+v", sets)
	}
	live, master := &sets[0], &sets[1]
	if !live.Follow || master.Follow || live.Every != time.Second || live.Proven != 3 || master.Proven != 7 || live.DSN.Name != "SHOP_BACKUP" || live.Restore != "restore-orders" {
		t.Errorf("%+v", live)
	}
	if live.Keep != 31*24*time.Hour || len(live.Queries) != 2 || live.Queries[0].Expect != "0" || live.Zone.String() != "Asia/Shanghai" {
		t.Errorf("%+v", live)
	}
	if got := cmp.Diff([]string{"users", "goods"}, master.Tables); got != "" {
		t.Error(got)
	}
	// Every set has its own time within the jitter, and keeps it.
	at := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	next := master.NextFull(at)
	if fire := time.Date(2026, 11, 23, 19, 15, 0, 0, time.UTC); next.Before(fire) || !next.Before(fire.Add(20*time.Minute)) {
		t.Error(next)
	}
	if again := master.NextFull(next); again.Sub(next) != 24*time.Hour {
		t.Error(again)
	}
	// A target that follows every minute is late after a minute and a half, and one of
	// every second not at once.
	if live.Stale() != time.Minute || master.Stale() != 36*time.Hour {
		t.Error(live.Stale(), master.Stale())
	}
}

func TestTargetsThatTheNodeDoesNotHave(t *testing.T) {
	p := parsed(t, upgrade, read(t, plan.TechName(upgrade)))
	for name, c := range map[string]struct {
		node map[string]string
		want []string
	}{
		"both":      {map[string]string{"nas": "local", "far": "remote"}, nil},
		"none":      {nil, []string{"target-none", "target-none", "target-none", "target-none"}},
		"misspelt":  {map[string]string{"nas": "local", "fra": "remote"}, []string{"target-near", "target-near"}},
		"other":     {map[string]string{"nas": "local", "abroad": "remote"}, []string{"target", "target"}},
		"all local": {map[string]string{"nas": "local", "far": "local"}, []string{"copies", "copies"}},
		"shut":      {map[string]string{"nas": "local", "far": "remote", "shut": "local"}, []string{"scratch", "scratch"}},
	} {
		places := binding.BackupPlaces{Targets: c.node, Scratch: "/root/scratch", Shut: func(kind string) string {
			if c.node["shut"] != "" && kind == "postgres" {
				return "postgres"
			}
			return ""
		}}
		var got []string
		for _, found := range binding.RefusedBackups(p, places) {
			got = append(got, strings.TrimPrefix(found.ID, "keeping.plan."))
			for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
				if said := found.Text(lang) + found.Hint(lang); strings.Contains(said, "keeping.") || strings.Contains(said, "no value") {
					t.Error(said)
				}
			}
			if found.Line < 30 {
				t.Errorf("at line %d: %+v", found.Line, found)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
