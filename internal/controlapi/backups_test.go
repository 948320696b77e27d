package controlapi

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
	"holdfast/internal/keeping"
	"holdfast/internal/store"
)

// oneWay brings everything back.
type oneWay struct{}

func (oneWay) Choices(_ context.Context, set keeping.Set, moment time.Time) ([]continuity.RestoreChoice, error) {
	return []continuity.RestoreChoice{{Set: set.ID, Target: "far", Backup: "abc", Reaches: moment, Reasons: []string{"proven"}}}, nil
}

type setsOf []keeping.Set

func (s setsOf) Sets() ([]keeping.Set, map[string]bool) { return s, nil }

// TestBackupsAreShownAndAskedFor asks as somebody who may look, and as somebody who may
// have backups made.
func TestBackupsAreShownAndAskedFor(t *testing.T) {
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	now := time.Now().UTC()
	engine := continuity.Actor{Kind: continuity.ActorEngine, ID: "backups"}
	good := &continuity.BackupWork{Work: continuity.WorkFull, Started: now, Ended: now, Backup: "abc", Good: true}
	_, err = s.Apply(t.Context(), engine, []continuity.Change{
		continuity.Put(continuity.KindBackupSet, "shop/orders", "shop", "backup-set.full", continuity.BackupSet{
			ID: "shop/orders", Service: "shop", Set: "orders", Since: now, Captured: good, Full: good, Proven: good,
			Faults: []continuity.BackupFault{{Kind: "missing", Target: "far"}},
		}),
		continuity.Put(continuity.KindBackup, "shop/orders/abc", "shop", "backup.made", continuity.Backup{ID: "shop/orders/abc", Service: "shop", Set: "orders", Piece: "abc", Targets: []string{"far"}}),
		continuity.Put(continuity.KindBackup, "shop/users/def", "shop", "backup.made", continuity.Backup{ID: "shop/users/def", Service: "shop", Set: "users", Piece: "def"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	full, _ := calendar.ParseCron("30 2 * * *")
	set := keeping.Set{Service: "shop", ID: "orders", Full: full, Written: "30 2 * * *", Zone: time.UTC, Every: time.Hour, Targets: []string{"far"}, Proven: 3}
	callers := map[string]Caller{
		"viewer":   {Actor: continuity.Actor{Kind: "user", ID: "li"}, Scopes: access.Viewer.Scopes()},
		"operator": {Actor: continuity.Actor{Kind: "user", ID: "wu"}, Scopes: access.Operator.Scopes()},
	}
	h, err := New(Options{
		Authenticate: func(r *http.Request) (Caller, error) { return callers[r.Header.Get("Authorization")], nil },
		Ready:        func() error { return nil }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Backups: keeping.NewActs(keeping.ActsOptions{Store: s, Plans: setsOf{set}}),
		Restores: keeping.NewRestoreActs(keeping.RestoreActsOptions{
			Store: s, Plans: setsOf{set}, Chooser: oneWay{}, Routes: func(string) []string { return []string{"orders"} },
			May: func(context.Context, continuity.Actor, string, string) error { return nil },
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(who, method, path, body string, into any) int {
		t.Helper()
		r := httptest.NewRequest(method, "http://127.0.0.1"+path, bytes.NewBufferString(body))
		r.Header.Set("Authorization", who)
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if into != nil {
			if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
				t.Fatalf("%s: %s", path, w.Body)
			}
		}
		return w.Code
	}
	edit := func(who, path, body string) int {
		t.Helper()
		r := httptest.NewRequest(http.MethodPut, "http://127.0.0.1"+path, bytes.NewBufferString(body))
		r.Header.Set("Authorization", who)
		r.Header.Set("If-Match", "*")
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	var sets Page[keeping.SetShown]
	if code := ask("viewer", http.MethodGet, "/api/v1/backup-sets", "", &sets); code != http.StatusOK || len(sets.Items) != 1 || sets.Items[0].State != continuity.SetFaulty || len(sets.Items[0].Problems) != 1 || sets.Items[0].Schedule != "30 2 * * *" {
		t.Errorf("%d %+v", code, sets)
	}
	var backups Page[continuity.Backup]
	if code := ask("viewer", http.MethodGet, "/api/v1/backups?set=orders", "", &backups); code != http.StatusOK || len(backups.Items) != 1 || backups.Items[0].Piece != "abc" {
		t.Errorf("%d %+v", code, backups)
	}
	var one continuity.Backup
	if code := ask("viewer", http.MethodGet, "/api/v1/backups/shop/users/def", "", &one); code != http.StatusOK || one.Set != "users" {
		t.Errorf("%d %+v", code, one)
	}
	for path, want := range map[string]int{
		"/api/v1/backup-sets/shop/orders/run":    http.StatusForbidden,
		"/api/v1/backup-sets/shop/orders/verify": http.StatusForbidden,
		"/api/v1/backup-sets/shop/orders/prune":  http.StatusForbidden,
	} {
		if code := ask("viewer", http.MethodPost, path, "{}", nil); code != want {
			t.Errorf("%s: %d", path, code)
		}
	}
	if code := ask("operator", http.MethodPost, "/api/v1/backup-sets/shop/nothing/run", "", nil); code != http.StatusNotFound {
		t.Error(code)
	}
	if code := ask("operator", http.MethodPost, "/api/v1/backup-sets/shop/orders/verify", `{"backup":"zzz"}`, nil); code != http.StatusNotFound {
		t.Error(code)
	}
	var asked, again continuity.BackupWork
	if code := ask("operator", http.MethodPost, "/api/v1/backup-sets/shop/orders/run", "", &asked); code != http.StatusOK || asked.By.ID != "wu" || asked.Work != continuity.WorkFull {
		t.Errorf("%d %+v", code, asked)
	}
	if code := ask("operator", http.MethodPost, "/api/v1/backup-sets/shop/orders/run", "", &again); code != http.StatusOK || !again.Asked.Equal(asked.Asked) {
		t.Errorf("it was asked for twice: %d %+v", code, again)
	}
	if code := ask("operator", http.MethodPost, "/api/v1/backup-sets/shop/orders/verify", "{}", nil); code != http.StatusConflict {
		t.Errorf("another work was asked for meanwhile: %d", code)
	}
	works := "/api/v1/backup-sets/shop/orders/works?asked="
	var answer BackupAnswer
	if code := ask("viewer", http.MethodGet, works+url.QueryEscape(asked.Asked.Format(time.RFC3339Nano)), "", &answer); code != http.StatusOK || answer.Done {
		t.Errorf("%d %+v", code, answer)
	}
	if code := ask("viewer", http.MethodGet, works+url.QueryEscape(now.Add(-time.Hour).Format(time.RFC3339Nano)), "", nil); code != http.StatusNotFound {
		t.Error(code)
	}

	// Who may bring data back needs not be who keeps plans; two persons it takes.
	callers["li"] = Caller{Actor: continuity.Actor{Kind: "user", ID: "li"}, Scopes: access.Responder.Scopes()}
	var choices Page[continuity.RestoreChoice]
	if code := ask("viewer", http.MethodGet, "/api/v1/restore-choices?service=shop&moment=2026-01-23T10:00:00Z", "", &choices); code != http.StatusOK || len(choices.Items) != 1 || choices.Items[0].Backup != "abc" {
		t.Errorf("%d %+v", code, choices)
	}
	const wish = `{"service":"shop","into":"over","why":"amounts are wrong","moment":"2026-01-23T10:00:00Z"}`
	if code := ask("viewer", http.MethodPost, "/api/v1/restores", wish, nil); code != http.StatusForbidden {
		t.Error(code)
	}
	var restore continuity.Restore
	if code := ask("li", http.MethodPost, "/api/v1/restores", wish, &restore); code != http.StatusOK || restore.State != continuity.RestoreRestoring || len(restore.Routes) != 1 || restore.By.ID != "li" {
		t.Fatalf("%d %+v", code, restore)
	}
	for _, who := range []string{"li", "viewer"} {
		if code := edit(who, "/api/v1/restores/"+restore.ID+"/approve", "{}"); code < 400 {
			t.Errorf("%s approved: %d", who, code)
		}
	}
	if code := edit("operator", "/api/v1/restores/"+restore.ID+"/approve", `{"note":"agreed"}`); code != http.StatusOK {
		t.Error(code)
	}
	if code := edit("li", "/api/v1/restores/"+restore.ID+"/switch", "{}"); code != http.StatusConflict { // it is not ready
		t.Error(code)
	}
	// To look things up takes a right of its own; here is no copy to ask.
	callers["token"] = Caller{Actor: continuity.Actor{Kind: "user", ID: "wu"}, Scopes: access.SetOf(access.BackupsRead, access.BackupsRestore)}
	for who, want := range map[string]int{"token": http.StatusForbidden, "viewer": http.StatusConflict} {
		if code := ask(who, http.MethodPost, "/api/v1/restores/"+restore.ID+"/look-ups", `{"query":"select 1"}`, nil); code != want {
			t.Errorf("%s looked something up: %d", who, code)
		}
	}
	for _, body := range []string{`{}`, `{"query":""}`, `{"query":"select 1","rows":1001}`, `{"query":"` + strings.Repeat("x", 10001) + `"}`} {
		if code := ask("viewer", http.MethodPost, "/api/v1/restores/"+restore.ID+"/look-ups", body, nil); code != http.StatusBadRequest && code != http.StatusUnprocessableEntity {
			t.Errorf("%.40s: %d", body, code)
		}
	}
	if code := edit("li", "/api/v1/restores/"+restore.ID+"/drop", ""); code != http.StatusOK {
		t.Error(code)
	}
	var all Page[continuity.Restore]
	if code := ask("viewer", http.MethodGet, "/api/v1/restores?service=shop", "", &all); code != http.StatusOK || len(all.Items) != 1 || all.Items[0].State != continuity.RestoreDropping || all.Items[0].Approved.By.ID != "wu" {
		t.Errorf("%d %+v", code, all)
	}
}
