package control

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/backupkey"
	"holdfast/internal/continuity"
	"holdfast/internal/keeping"
	"holdfast/internal/mariatest"
	"holdfast/internal/planbook"
)

// TestMariaDBIsBroughtBackOverTheOriginal has a node back up a MariaDB database as a plan
// says, and put it in the place of what was spoiled, by two people, and back again.
func TestMariaDBIsBroughtBackOverTheOriginal(t *testing.T) {
	dsn := mariatest.Database(t)
	mariatest.Exec(t, dsn, "CREATE TABLE payments (no VARCHAR(9) PRIMARY KEY, amount DECIMAL(12,2)) ENGINE=InnoDB")
	mariatest.Exec(t, dsn, "INSERT INTO payments VALUES ('P-1', 10.50), ('P-2', 4)")
	dir := t.TempDir()
	for _, d := range []string{"nas", "secrets"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "secrets", "SHOP"), dsn)
	if _, err := backupkey.Create(filepath.Join(dir, "keys"), backupkey.Guard{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	n := run(t, settings(t, dir, "secrets: {folder: secrets}\nbackup:\n  key: keys\n  targets: [{id: nas, url: "+filepath.Join(dir, "nas")+", copy: local}]\n"))
	small, err := os.ReadFile("../plan/testdata/good/small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	texts := continuity.PlanTexts{
		Plan: string(small) + "backups:\n  - {id: payments, holds: [orders], every: 1d, keep: 1mo, copies: [local], restore: restart, owner: commander}\n",
		Tech: "schema: holdfast/plan-tech@1\nplan: shop\nbackups:\n  - {id: payments, kind: mysql, dsn: {secret: SHOP}, targets: [nas]}\n",
	}
	people := []continuity.Person{{ID: "li.wei", Names: map[string]string{"en": "li.wei"}}, {ID: "zhang.min", Names: map[string]string{"en": "zhang.min"}}}
	if _, err := n.store.People().Import(t.Context(), li, people, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := n.plans.Submit(t.Context(), li, planbook.Submission{Service: "shop", Base: planbook.Whatever, Texts: texts}); err != nil {
		t.Fatal(err)
	}
	until(t, "the set is green", func() bool {
		s, err := n.backups.Set(t.Context(), "shop", "payments")
		return err == nil && s.State == continuity.SetGreen && s.Running == nil
	})
	mariatest.Exec(t, dsn, "UPDATE payments SET amount = 0")
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	sum := func(want string) {
		t.Helper()
		var got string
		if err := db.QueryRowContext(t.Context(), "SELECT SUM(amount) FROM payments").Scan(&got); err != nil || got != want {
			t.Errorf("the sum is %s, not %s: %v", got, want, err)
		}
	}
	ctx := granted(context.Background())
	k, err := n.restores.Propose(ctx, li, keeping.Draft{
		Service: "shop", Sets: []string{"payments"}, Into: continuity.IntoOver, Why: "amounts are gone", Routes: []string{}, Fault: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	state := func(want string) {
		t.Helper()
		until(t, "it is "+want, func() bool {
			k, err = n.restores.Restore(t.Context(), k.ID)
			return err == nil && k.State == want
		})
	}
	state(continuity.RestoreReady)
	sum("0.00")
	zhang := continuity.Actor{Kind: "user", ID: "zhang.min"}
	if k, err = n.restores.Approve(ctx, zhang, k.ID, k.Version, ""); err != nil {
		t.Fatal(err)
	}
	if _, err = n.restores.Switch(ctx, li, k.ID, k.Version, ""); err != nil {
		t.Fatal(err)
	}
	state(continuity.RestoreDone)
	sum("14.50")
	for _, by := range []continuity.Actor{li, {Kind: "user", ID: "zhang.min"}} {
		if _, err = n.restores.Undo(ctx, by, k.ID, continuity.VersionAny, "they were right"); err != nil {
			t.Fatal(err)
		}
	}
	state(continuity.RestoreUndone)
	sum("0.00")
}
