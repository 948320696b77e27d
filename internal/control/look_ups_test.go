package control

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/backupkey"
	"holdfast/internal/continuity"
	"holdfast/internal/keeping"
	"holdfast/internal/pgtest"
	"holdfast/internal/planbook"
)

// TestACopyOfADatabaseIsLookedUpIn backs up a PostgreSQL database as a plan says, has a copy
// made of it, and asks that copy through the node while the original goes on.
func TestACopyOfADatabaseIsLookedUpIn(t *testing.T) {
	server := pgtest.NewServer(t)
	pgtest.Exec(t, server.DSN("postgres"), "CREATE DATABASE shop")
	dsn := server.DSN("shop")
	pgtest.Exec(t, dsn, "CREATE TABLE payments (no text, amount numeric); INSERT INTO payments VALUES ('P-1', 10.50), ('P-2', NULL)")
	dir := t.TempDir()
	scratch := passable(t)
	for _, d := range []string{"nas", "secrets"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "secrets", "SHOP"), dsn)
	if _, err := backupkey.Create(filepath.Join(dir, "keys"), backupkey.Guard{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	n := run(t, settings(t, dir, "secrets: {folder: secrets}\nbackup:\n  key: keys\n  scratch: "+scratch+"\n  targets: [{id: nas, url: "+filepath.Join(dir, "nas")+", copy: local}]\n"))
	small, err := os.ReadFile("../plan/testdata/good/small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	texts := continuity.PlanTexts{
		Plan: string(small) + "backups:\n  - {id: payments, holds: [orders], every: 1d, keep: 1mo, copies: [local], restore: restart, owner: commander}\n",
		Tech: "schema: holdfast/plan-tech@1\nplan: shop\nbackups:\n  - {id: payments, kind: postgres, dsn: {secret: SHOP}, targets: [nas]}\n",
	}
	people := []continuity.Person{{ID: "li.wei", Names: map[string]string{"en": "li.wei"}}, {ID: "zhang.min", Names: map[string]string{"en": "zhang.min"}}}
	if _, err := n.store.People().Import(t.Context(), li, people, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := n.plans.Submit(t.Context(), li, planbook.Submission{Service: "shop", Base: planbook.Whatever, Texts: texts}); err != nil {
		t.Fatal(err)
	}
	until(t, "it is backed up", func() bool {
		s, err := n.backups.Set(t.Context(), "shop", "payments")
		return err == nil && s.Full != nil
	})
	ctx := granted(context.Background())
	k, err := n.restores.Propose(ctx, li, keeping.Draft{Service: "shop", Into: continuity.IntoCopy, Why: "finance looks up payments"})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the copy is ready", func() bool {
		k, err = n.restores.Restore(t.Context(), k.ID)
		return err == nil && k.State == continuity.RestoreReady
	})
	pgtest.Exec(t, dsn, "DELETE FROM payments")
	found, err := n.restores.LookUp(ctx, li, k.ID, keeping.LookUp{SQL: "SELECT no, amount FROM payments ORDER BY no"})
	if err != nil || strings.Join(found.Columns, " ") != "no amount" || len(found.Rows) != 2 || *found.Rows[0][1] != "10.50" || found.Rows[1][1] != nil {
		t.Errorf("%+v, %v", found, err)
	}
	if age := time.Since(found.AsOf); found.AsOf.IsZero() || found.Age < 0 || found.Age > age.Seconds() || k.Sets[0].Copy.Node != n.name {
		t.Errorf("as of %s, %f s old, on %q", found.AsOf, found.Age, k.Sets[0].Copy.Node)
	}
	for _, sql := range []string{"DELETE FROM payments RETURNING no", "DELETE FROM payments", "COPY payments TO PROGRAM 'true'", "SELECT 1; DROP TABLE payments"} {
		_, err := n.restores.LookUp(ctx, li, k.ID, keeping.LookUp{SQL: sql})
		var e *continuity.Error
		if !errors.As(err, &e) || e.Code != continuity.CodeInvalid {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if again, err := n.restores.LookUp(ctx, li, k.ID, keeping.LookUp{SQL: "SELECT count(*) FROM payments"}); err != nil || *again.Rows[0][0] != "2" {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := n.restores.Drop(ctx, li, k.ID, continuity.VersionAny); err != nil {
		t.Fatal(err)
	}
	until(t, "it is gone", func() bool {
		k, err = n.restores.Restore(t.Context(), k.ID)
		return err == nil && k.State == continuity.RestoreDropped
	})
	if _, err = n.restores.LookUp(ctx, li, k.ID, keeping.LookUp{SQL: "SELECT 1"}); continuity.CodeOf(err) != continuity.CodeState {
		t.Error(err)
	}
}
