package control

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/backupkey"
	"holdfast/internal/continuity"
	"holdfast/internal/keeping"
	"holdfast/internal/planbook"
	"holdfast/internal/yamldoc"
)

// TestASetOfAPlanIsKeptProvenAndBroughtBack leads a folder from the plan to two targets,
// has a copy of it looked at over a restart of the node, and puts it in the place of what
// was spoiled, by two people.
func TestASetOfAPlanIsKeptProvenAndBroughtBack(t *testing.T) {
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
	c := settings(t, dir, "backup:\n  key: keys\n  scratch: "+passable(t)+"\n  folders: ["+filepath.Join(dir, "data")+"]\n  targets:\n"+
		"    - {id: nas, url: "+filepath.Join(dir, "near")+", copy: local}\n    - {id: far, url: \"folder:"+filepath.Join(dir, "far")+"\", copy: remote}\n")
	n := run(t, c)
	keepGoods(t, n, source)
	set := func() keeping.SetShown {
		s, err := n.backups.Set(t.Context(), "shop", "goods")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	until(t, "the set is green", func() bool { return set().State == continuity.SetGreen && set().Proven != nil && set().Running == nil })
	s := set()
	if s.Proven.Backup != s.Full.Backup || len(s.Full.Targets) != 2 || s.Full.Targets[1].Why.Code != "" {
		t.Errorf("%+v", s)
	}
	for target, endings := range map[string][]string{"near": {".bak", ".bak.manifest"}, "far": {".bak", ".bak.manifest", ".bak.proof"}} {
		for _, ending := range endings {
			found, err := filepath.Glob(filepath.Join(dir, target, "shop", "goods", "*"+ending))
			if err != nil || len(found) != 1 {
				t.Errorf("%s %s: %q, %v", target, ending, found, err)
			}
		}
	}
	// A set whose secret is nowhere fails by itself, and says so.
	until(t, "the other fails", func() bool {
		other, err := n.backups.Set(t.Context(), "shop", "orders")
		return err == nil && other.Failing != nil && other.Failing.Why.Code == "error.secret"
	})

	zhang := continuity.Actor{Kind: "user", ID: "zhang.min"}
	ctx := granted(t.Context())
	copied, err := n.restores.Propose(ctx, li, keeping.Draft{Service: "shop", Sets: []string{"goods"}, Into: continuity.IntoCopy, Why: "finance looks up prices"})
	if err != nil {
		t.Fatal(err)
	}
	ready := func(id, state string) keeping.KeptRestore {
		var k keeping.KeptRestore
		until(t, id+" is "+state, func() bool {
			k, err = n.restores.Restore(t.Context(), id)
			return err == nil && k.State == state
		})
		return k
	}
	looked := func(k keeping.KeptRestore) {
		t.Helper()
		at := k.Sets[0].Copy.Address
		if text, err := os.ReadFile(filepath.Join(at, "prices")); err != nil || string(text) != "tea 20\n" { // #nosec G304 -- of the test
			t.Errorf("%s: %q, %v", at, text, err)
		}
	}
	k := ready(copied.ID, continuity.RestoreReady)
	looked(k)
	_, err = n.restores.LookUp(ctx, li, copied.ID, keeping.LookUp{SQL: "select 1"})
	var e *continuity.Error
	if !errors.As(err, &e) || e.Args["detail_id"] != "keeping.look-up.kind" || e.Args["address"] != k.Sets[0].Copy.Address {
		t.Errorf("a folder was asked: %v", err)
	}
	if _, err = n.restores.LookUp(t.Context(), li, copied.ID, keeping.LookUp{SQL: "select 1"}); continuity.CodeOf(err) != continuity.CodeScope {
		t.Errorf("whom no plan names: %v", err)
	}
	if !k.Sets[0].Copy.Good || k.Sets[0].Choice.State != "proven" {
		t.Errorf("%+v", k.Sets)
	}
	stopped(t, n)
	n = run(t, c)
	until(t, "the copy is made anew", func() bool {
		again, err := n.restores.Restore(t.Context(), copied.ID)
		return err == nil && again.State == continuity.RestoreReady && again.Version > k.Version
	})
	looked(ready(copied.ID, continuity.RestoreReady))

	write(t, filepath.Join(source, "prices"), "tea 2\n")
	over, err := n.restores.Propose(granted(context.Background()), li, keeping.Draft{
		Service: "shop", Sets: []string{"goods"}, Into: continuity.IntoOver, Why: "prices are wrong", Routes: []string{}, Fault: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	k = ready(over.ID, continuity.RestoreReady)
	if k, err = n.restores.Approve(ctx, zhang, k.ID, k.Version, ""); err != nil {
		t.Fatal(err)
	}
	if _, err = n.restores.Switch(ctx, li, k.ID, k.Version, ""); err != nil {
		t.Fatal(err)
	}
	k = ready(over.ID, continuity.RestoreDone)
	if text, err := os.ReadFile(filepath.Join(source, "prices")); err != nil || string(text) != "tea 20\n" || k.RTO <= 0 || k.RPO < 0 { // #nosec G304 -- of the test
		t.Errorf("%q, %v: %+v", text, err, k.Restore)
	}
	// Nobody declared an incident: the cause is looked for all the same, and somebody told.
	o, err := n.store.Get(t.Context(), continuity.KindTask, k.Analysis)
	var task continuity.Task
	if err == nil {
		err = json.Unmarshal(o.Body, &task)
	}
	if _, told := n.store.Get(t.Context(), continuity.KindNotification, k.Analysis+".n-1"); err != nil || told != nil || task.Owner != "commander" || task.State != continuity.TaskOpen || !strings.Contains(task.Text, k.ID) {
		t.Errorf("%+v, %v, %v", task, err, told)
	}
	for _, by := range []continuity.Actor{li, zhang} {
		if _, err = n.restores.Undo(ctx, by, k.ID, continuity.VersionAny, "they were right"); err != nil {
			t.Fatal(err)
		}
	}
	var second continuity.Notification
	if o, err := n.store.Get(t.Context(), continuity.KindNotification, k.ID+".n-undo"); err != nil || json.Unmarshal(o.Body, &second) != nil {
		t.Errorf("nobody was asked to agree: %v", err)
	}
	if len(second.To) != 1 || second.To[0] != (continuity.Recipient{Kind: continuity.ToPerson, ID: "zhang.min"}) || !strings.Contains(second.Text.En, "li.wei") || !strings.Contains(second.Text.Zh, k.ID) {
		t.Errorf("%+v", second)
	}
	ready(over.ID, continuity.RestoreUndone)
	if text, err := os.ReadFile(filepath.Join(source, "prices")); err != nil || string(text) != "tea 2\n" { // #nosec G304 -- of the test
		t.Errorf("%q, %v", text, err)
	}
	// A target that is gone is named, and the other one goes on.
	if err := os.Rename(filepath.Join(dir, "far"), filepath.Join(dir, "gone")); err != nil {
		t.Fatal(err)
	}
	asked, err := n.backups.Ask(t.Context(), li, "shop", "goods", continuity.WorkFull, "")
	if err != nil {
		t.Fatal(err)
	}
	var work continuity.BackupWork
	until(t, "it was made", func() (done bool) {
		work, done, err = n.backups.Answer(t.Context(), "shop", "goods", asked.Asked)
		return done
	})
	if len(work.Targets) != 2 || work.Targets[0].Why.Code != "" || work.Targets[1].Why.Code != "target.no-place" {
		t.Errorf("%+v", work)
	}
	until(t, "it is said which is away", func() bool { s := set(); return len(s.Away) == 1 && s.Running == nil })
	if after := set(); after.Away[0].Target != "far" || after.Away[0].Why.Code == "" || len(after.Problems) != 1 || after.Problems[0].Why.Args["targets"] != "far" {
		t.Errorf("%+v: %+v", after.Away, after.Problems)
	}
	all, _, err := n.backups.Backups(t.Context(), "shop", "goods", "", 10)
	if err != nil {
		t.Fatal(err)
	}
	stands := map[string]string{}
	for _, b := range all {
		stands[b.Piece] = strings.Join(b.Targets, " ")
	}
	if len(stands) != 2 || stands[work.Backup] != "nas" || stands[s.Full.Backup] != "far nas" {
		t.Errorf("%v", stands)
	}
}

// keepGoods lets a plan hold with a folder that is backed up, and a database whose
// address is nowhere.
func keepGoods(t *testing.T, n *Node, source string) {
	t.Helper()
	if err := submitGoods(t, n, source); err != nil {
		var e *continuity.Error
		_ = errors.As(err, &e)
		t.Fatal(err, e.Args["problems"])
	}
}

func submitGoods(t *testing.T, n *Node, source string) error {
	t.Helper()
	small, err := os.ReadFile("../plan/testdata/good/small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const set = ", every: 1d, keep: 1mo, copies: [local, remote], restore: restart, owner: commander}\n"
	texts := continuity.PlanTexts{
		Plan: string(small) + "backups:\n  - {id: goods, holds: [goods]" + set + "  - {id: orders, holds: [orders]" + set,
		Tech: "schema: holdfast/plan-tech@1\nplan: shop\nbackups:\n  - {id: goods, kind: folder, path: " + source + ", targets: [nas, far]}\n" +
			"  - {id: orders, kind: postgres, dsn: {secret: NOWHERE}, targets: [nas, far]}\n",
	}
	people := []continuity.Person{{ID: "li.wei", Names: map[string]string{"en": "li.wei"}}, {ID: "zhang.min", Names: map[string]string{"en": "zhang.min"}}}
	if _, err := n.store.People().Import(t.Context(), li, people, ""); err != nil {
		t.Fatal(err)
	}
	_, err = n.plans.Submit(t.Context(), li, planbook.Submission{Service: "shop", Base: planbook.Whatever, Texts: texts})
	return err
}

// passable is a folder that servers get to which run as somebody else.
func passable(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "passable")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil { // #nosec G302 -- others pass through
		t.Fatal(err)
	}
	return dir
}

// TestAPlanIsToldWhereNothingCanBeProven has backups restored where only we get to, which
// PostgreSQL does not where we are root.
func TestAPlanIsToldWhereNothingCanBeProven(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "closed"), 0o700); err != nil {
		t.Fatal(err)
	}
	n := run(t, settings(t, dir, "backup: {key: keys, scratch: closed/scratch, targets: [{id: nas, url: "+filepath.Join(dir, "near")+", copy: local}, {id: far, url: "+filepath.Join(dir, "far")+", copy: remote}]}\n"))
	err := submitGoods(t, n, dir)
	if os.Geteuid() != 0 {
		if err != nil {
			t.Error(err)
		}
		return
	}
	var e *continuity.Error
	if !errors.As(err, &e) {
		t.Fatalf("a plan was taken whose database could never be proven: %v", err)
	}
	problems, _ := e.Args["problems"].([]yamldoc.Problem)
	if len(problems) == 0 || problems[0].Severity != yamldoc.Error || problems[0].ID != "keeping.plan.scratch" || problems[0].Args["id"] != "orders" || problems[0].Args["folder"] != filepath.Join(dir, "closed", "scratch") {
		t.Errorf("%+v", e.Args["problems"])
	}
}

// TestAPathThatTheSettingsDoNotNameIsNotBackedUp keeps who writes plans from reading
// whatever the node can.
func TestAPathThatTheSettingsDoNotNameIsNotBackedUp(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"open/in", "shut"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "shut"), filepath.Join(dir, "open", "out")); err != nil {
		t.Fatal(err)
	}
	open := []string{filepath.Join(dir, "open")}
	for path, want := range map[string]bool{"open": true, "open/in": true, "open/../shut": false, "shut": false, "open/out": false, "open/none": false, "openly": false} {
		if within(open, filepath.Join(dir, path)) != want {
			t.Errorf("%s: %t", path, !want)
		}
	}
}
