package access_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
	"holdfast/internal/pgtest"
	"holdfast/internal/store"
)

const good = "a vessel of nine oars"

var (
	home  = netip.MustParseAddr("192.0.2.1")
	start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
)

// world is an engine on a database, with a clock and the node's own token.
type world struct {
	*access.Engine

	t     *testing.T
	store *store.Store
	log   bytes.Buffer
	file  access.Principal

	mu sync.Mutex
	at time.Time
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *world) wait(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

const ownToken = "the-node's-own-token-of-32-bytes-or-more"

func newWorld(t *testing.T, dsn string) *world {
	t.Helper()
	w := &world{t: t, at: start}
	s, err := store.Open(t.Context(), dsn, store.Clock(w.now))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	w.store = s
	w.Engine = access.New(s, access.Options{
		Now: w.now, File: func(text string) bool { return text == ownToken }, Node: "n1", Logger: slog.New(slog.NewJSONHandler(&w.log, nil)),
		Cost: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32},
	})
	w.file, err = w.Bearer(t.Context(), ownToken, "zhang%20min", home)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// onBoth runs a test on a SQLite file and on PostgreSQL.
func onBoth(t *testing.T, test func(*testing.T, *world)) {
	t.Run("SQLite", func(t *testing.T) { test(t, newWorld(t, filepath.Join(t.TempDir(), "state.db"))) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, newWorld(t, pgtest.Database(t))) })
}

func (w *world) add(id string, role access.Role) access.User {
	w.t.Helper()
	u, err := w.AddUser(w.t.Context(), w.file, access.NewUser{ID: id, Role: role, Password: good})
	if err != nil {
		w.t.Fatal(err)
	}
	return u
}

func (w *world) logIn(id, password string) (access.Principal, string) {
	w.t.Helper()
	s, err := w.LogIn(w.t.Context(), access.LogIn{User: id, Password: password, Via: "cli", From: home})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.as(s.Secret.Reveal()), s.Secret.Reveal()
}

func (w *world) as(text string) access.Principal {
	w.t.Helper()
	p, err := w.Bearer(w.t.Context(), text, "somebody else", home)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) refused(text string) {
	w.t.Helper()
	p, err := w.Bearer(w.t.Context(), text, "somebody else", home)
	want(w.t, err, continuity.CodeForbidden)
	if p.Actor.ID != "" || len(p.Scopes) > 0 {
		w.t.Fatalf("refused, and yet %+v", p)
	}
}

func want(t *testing.T, err error, code continuity.Code) {
	t.Helper()
	if got := continuity.CodeOf(err); got != code {
		t.Fatalf("code %q, want %q: %v", got, code, err)
	}
}

func anyVersion(id string) access.Edit { return access.Edit{ID: id, Version: continuity.VersionAny} }

func TestFirstAdminLogsInAndOut(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		if w.file.Actor != (continuity.Actor{Kind: "token", ID: "zhang min", Via: "admin-token"}) || !w.file.Scopes.Has(access.UsersWrite) {
			t.Fatalf("%+v", w.file)
		}
		w.add("li.wei", access.Admin)
		p, text := w.logIn("li.wei", good)
		if p.Actor.ID != "li.wei" || p.Actor.Kind != "user" || p.Role != access.Admin || p.User() != "li.wei" || !strings.HasPrefix(text, "hfs_") {
			t.Fatalf("%+v", p)
		}
		u, err := w.User(t.Context(), p, "li.wei")
		if err != nil || !u.Seen.Equal(start) {
			t.Fatal(u, err)
		}
		w.refused(text[:len(text)-1] + "b") // which no checksum ends with
		w.refused("hfs_" + strings.Repeat("a", 75))
		w.refused("")
		if err := w.LogOut(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		w.refused(text)
		if err := w.LogOut(t.Context(), p); err != nil { // twice is no mistake
			t.Fatal(err)
		}
		_, err = w.LogIn(t.Context(), access.LogIn{User: "li.wei", Password: "not " + good, From: home})
		want(t, err, continuity.CodeLogin)
		_, err = w.LogIn(t.Context(), access.LogIn{User: "nobody", Password: good, From: home})
		want(t, err, continuity.CodeLogin)
		if strings.Contains(w.log.String(), "nobody") {
			t.Error("the log repeats what was typed as a name")
		}
	})
}

func TestSessionsEnd(t *testing.T) {
	w := newWorld(t, filepath.Join(t.TempDir(), "state.db"))
	w.add("ann", access.Operator)

	_, idle := w.logIn("ann", good)
	w.wait(4 * time.Hour)
	w.refused(idle)

	_, open := w.logIn("ann", good) // whose stream goes on
	asks := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/stream", nil)
	asks.Header.Set("Authorization", "Bearer "+open)
	for range 4 {
		if _, err := w.Still(asks); err != nil {
			t.Error(err)
		}
		w.wait(time.Hour)
	}
	_, err := w.Still(asks)
	want(t, err, continuity.CodeForbidden)
	w.refused(open)

	_, used := w.logIn("ann", good)
	for range 7 {
		w.wait(3 * time.Hour)
		w.as(used)
	}
	w.wait(2*time.Hour + 59*time.Minute)
	w.as(used)
	w.wait(time.Minute)
	w.refused(used) // a day old, though it was used all the time

	p, one := w.logIn("ann", good)
	_, two := w.logIn("ann", good)
	const better = "a vessel of eleven oars"
	want(t, w.SetPassword(t.Context(), p, anyVersion("ann"), "wrong", better, home), continuity.CodeLogin)
	want(t, w.SetPassword(t.Context(), p, anyVersion("ann"), good, "short", home), continuity.CodeInvalid)
	w.as(one)
	if err := w.SetPassword(t.Context(), p, anyVersion("ann"), good, better, home); err != nil {
		t.Fatal(err)
	}
	w.refused(one)
	w.refused(two)
	_, err = w.LogIn(t.Context(), access.LogIn{User: "ann", Password: good, From: home})
	want(t, err, continuity.CodeLogin)
	_, one = w.logIn("ann", better)

	if _, err := w.LogOutUser(t.Context(), w.file, anyVersion("ann")); err != nil {
		t.Fatal(err)
	}
	w.refused(one)
	_, one = w.logIn("ann", better)
	if err := w.RemoveUser(t.Context(), w.file, anyVersion("ann")); err != nil {
		t.Fatal(err)
	}
	w.refused(one)

	// A user of the same name is another user.
	w.add("ann", access.Viewer)
	w.refused(one)
	var texts []string
	for range 22 {
		w.wait(time.Second)
		_, text := w.logIn("ann", good)
		texts = append(texts, text)
	}
	w.refused(texts[0]) // the oldest gave way
	w.refused(texts[1])
	w.as(texts[2])
}

func TestNobodyLiftsAnybody(t *testing.T) {
	w := newWorld(t, filepath.Join(t.TempDir(), "state.db"))
	w.add("root", access.Admin)
	w.add("com", access.Commander)
	w.add("view", access.Viewer)
	commander, _ := w.logIn("com", good)
	viewer, _ := w.logIn("view", good)
	admin, _ := w.logIn("root", good)

	for name, p := range map[string]access.Principal{"commander": commander, "viewer": viewer} {
		_, err := w.SetRole(t.Context(), p, anyVersion("view"), access.Responder)
		want(t, err, continuity.CodeScope)
		_, err = w.SetRole(t.Context(), p, anyVersion(p.User()), access.Admin)
		want(t, err, continuity.CodeScope)
		_, err = w.SetDisabled(t.Context(), p, anyVersion("root"), true)
		want(t, err, continuity.CodeScope)
		_, err = w.AddUser(t.Context(), p, access.NewUser{ID: name, Role: access.Viewer, Password: good})
		want(t, err, continuity.CodeScope)
		want(t, w.RemoveUser(t.Context(), p, anyVersion("root")), continuity.CodeScope)
		want(t, w.SetPassword(t.Context(), p, anyVersion("root"), good, "another long one", home), continuity.CodeScope)
	}
	if _, _, err := w.Users(t.Context(), commander, "", 0); err != nil {
		t.Fatal(err)
	}
	_, _, err := w.Users(t.Context(), viewer, "", 0)
	want(t, err, continuity.CodeScope)
	if _, err := w.User(t.Context(), viewer, "view"); err != nil {
		t.Fatal(err)
	}
	_, err = w.User(t.Context(), viewer, "root")
	want(t, err, continuity.CodeScope)

	// A token of an admin that may only change users can't make one who may more.
	made, err := w.AddToken(t.Context(), admin, access.NewToken{Name: "hr", Scopes: []access.Scope{access.UsersWrite}})
	if err != nil {
		t.Fatal(err)
	}
	hr := w.as(made.Secret.Reveal())
	for _, role := range access.Roles() {
		_, err = w.AddUser(t.Context(), hr, access.NewUser{ID: "new", Role: role, Password: good})
		want(t, err, continuity.CodeScope)
		_, err = w.SetRole(t.Context(), hr, anyVersion("view"), role)
		want(t, err, continuity.CodeScope)
	}
	want(t, w.SetPassword(t.Context(), hr, anyVersion("root"), "", "another long one", home), continuity.CodeScope)
	want(t, w.SetPassword(t.Context(), hr, anyVersion("view"), "", "another long one", home), continuity.CodeScope)
}

func TestTheLastAdminStays(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.add("one", access.Admin)
		for _, try := range []func() error{
			func() error { return w.RemoveUser(t.Context(), w.file, anyVersion("one")) },
			func() error {
				_, err := w.SetRole(t.Context(), w.file, anyVersion("one"), access.Commander)
				return err
			},
			func() error {
				_, err := w.SetDisabled(t.Context(), w.file, anyVersion("one"), true)
				return err
			},
		} {
			want(t, try(), continuity.CodeState)
		}
		w.add("two", access.Admin)
		// Each leaves one; both at once would leave none.
		var all sync.WaitGroup
		var errs [2]error
		for i, id := range []string{"one", "two"} {
			all.Go(func() { errs[i] = w.RemoveUser(t.Context(), w.file, anyVersion(id)) })
		}
		all.Wait()
		codes := []continuity.Code{continuity.CodeOf(errs[0]), continuity.CodeOf(errs[1])}
		if !slices.Contains(codes, "") || codes[0] == codes[1] {
			t.Fatal(codes)
		}
		users, _, err := w.Users(t.Context(), w.file, "", 0)
		if err != nil || len(users) != 1 {
			t.Fatal(users, err)
		}
	})
}

func TestEditsNameTheirVersion(t *testing.T) {
	w := newWorld(t, filepath.Join(t.TempDir(), "state.db"))
	u := w.add("ann", access.Viewer)
	changed, err := w.SetRole(t.Context(), w.file, access.Edit{ID: "ann", Version: u.Version}, access.Responder)
	if err != nil || changed.Version == u.Version {
		t.Fatal(changed, err)
	}
	_, err = w.SetRole(t.Context(), w.file, access.Edit{ID: "ann", Version: u.Version}, access.Viewer)
	want(t, err, continuity.CodeVersion)
	want(t, w.RemoveUser(t.Context(), w.file, access.Edit{ID: "ann", Version: u.Version}), continuity.CodeVersion)
	_, err = w.AddUser(t.Context(), w.file, access.NewUser{ID: "ann", Role: access.Viewer, Password: good})
	want(t, err, continuity.CodeState)
	for _, bad := range []access.NewUser{
		{ID: "", Role: access.Viewer, Password: good}, {ID: "Ann", Role: access.Viewer, Password: good}, {ID: "a/b", Role: access.Viewer, Password: good},
		{ID: "new", Role: "root", Password: good}, {ID: "new", Role: access.Viewer, Password: "short"}, {ID: "new", Name: "a\nb", Role: access.Viewer, Password: good},
	} {
		_, err := w.AddUser(t.Context(), w.file, bad)
		want(t, err, continuity.CodeInvalid)
	}
}

func TestTokensShrinkWithTheirMaker(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.add("ann", access.Commander)
		ann, _ := w.logIn("ann", good)
		_, err := w.AddToken(t.Context(), ann, access.NewToken{Name: "x", Scopes: []access.Scope{access.UsersWrite}})
		want(t, err, continuity.CodeScope)
		_, err = w.AddToken(t.Context(), ann, access.NewToken{Name: "x", Scopes: []access.Scope{"what:ever"}})
		want(t, err, continuity.CodeInvalid)
		_, err = w.AddToken(t.Context(), ann, access.NewToken{Name: "x", Scopes: []access.Scope{access.PlansRead}, For: 4 * 366 * 24 * time.Hour})
		want(t, err, continuity.CodeInvalid)
		made, err := w.AddToken(t.Context(), ann, access.NewToken{Name: "deploy", Scopes: []access.Scope{access.PlansApprove, access.PlansRead, access.TokensWrite}, For: 24 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		text := made.Secret.Reveal()
		p := w.as(text)
		if p.User() != "ann" || p.Name != "deploy" || p.Actor.Via != "token "+made.Of.ID || !p.Scopes.Has(access.PlansApprove) || p.Scopes.Has(access.ChecksRead) {
			t.Fatalf("%+v", p)
		}
		_, err = w.AddToken(t.Context(), p, access.NewToken{Name: "child", Scopes: []access.Scope{access.PlansRead}})
		want(t, err, continuity.CodeState)

		if _, err := w.SetRole(t.Context(), w.file, anyVersion("ann"), access.Viewer); err != nil {
			t.Fatal(err)
		}
		if p = w.as(text); p.Scopes.Has(access.PlansApprove) || !p.Scopes.Has(access.PlansRead) {
			t.Fatalf("%+v", p)
		}
		list, err := w.Tokens(t.Context(), w.file)
		if err != nil || len(list) != 1 || !slices.Equal(list[0].Now, []access.Scope{access.PlansRead}) || !list[0].Used.Equal(start) {
			t.Fatalf("%+v %v", list, err)
		}
		if _, err := w.SetDisabled(t.Context(), w.file, anyVersion("ann"), true); err != nil {
			t.Fatal(err)
		}
		w.refused(text)
		if list, err = w.Tokens(t.Context(), w.file); err != nil || len(list[0].Now) != 0 {
			t.Fatalf("%+v %v", list, err)
		}
		if _, err := w.SetDisabled(t.Context(), w.file, anyVersion("ann"), false); err != nil {
			t.Fatal(err)
		}
		w.as(text)
		w.wait(24 * time.Hour)
		w.refused(text)
	})
}

func TestTokensAreRevoked(t *testing.T) {
	w := newWorld(t, filepath.Join(t.TempDir(), "state.db"))
	w.add("ann", access.Responder)
	w.add("bob", access.Responder)
	ann, _ := w.logIn("ann", good)
	bob, _ := w.logIn("bob", good)
	add := func(p access.Principal) (string, string) {
		t.Helper()
		made, err := w.AddToken(t.Context(), p, access.NewToken{Name: "x", Scopes: []access.Scope{access.PlansRead}})
		if err != nil {
			t.Fatal(err)
		}
		return made.Of.ID, made.Secret.Reveal()
	}
	id, text := add(ann)
	other, machine := add(w.file)
	if p := w.as(machine); p.User() != "" || p.Actor.ID != other || p.Actor.Kind != "token" {
		t.Fatalf("%+v", p)
	}
	want(t, w.RevokeToken(t.Context(), bob, id, ""), continuity.CodeScope)
	want(t, w.RevokeToken(t.Context(), bob, other, ""), continuity.CodeScope)
	if list, err := w.Tokens(t.Context(), bob); err != nil || len(list) != 0 {
		t.Fatal(list, err)
	}
	if err := w.RevokeToken(t.Context(), ann, id, "leaked"); err != nil {
		t.Fatal(err)
	}
	w.refused(text)
	want(t, w.RevokeToken(t.Context(), ann, id, ""), continuity.CodeNotFound)
	if err := w.RevokeToken(t.Context(), w.file, other, ""); err != nil {
		t.Fatal(err)
	}
	w.refused(machine)
	_, text = add(ann)
	if err := w.RemoveUser(t.Context(), w.file, anyVersion("ann")); err != nil {
		t.Fatal(err)
	}
	w.add("ann", access.Responder)
	w.refused(text)
	if list, err := w.Tokens(t.Context(), w.file); err != nil || len(list) != 0 {
		t.Fatal(list, err)
	}
}

// TestNoEventBearsASecret does everything, and looks for passwords, tokens and
// their hashes in all events, objects and logs.
func TestNoEventBearsASecret(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.add("ann", access.Admin)
		w.as(ownToken)
		ann, session := w.logIn("ann", good)
		made, err := w.AddToken(t.Context(), ann, access.NewToken{Name: "x", Scopes: []access.Scope{access.PlansRead}})
		if err != nil {
			t.Fatal(err)
		}
		const better = "a vessel of eleven oars"
		if err := w.SetPassword(t.Context(), ann, anyVersion("ann"), good, better, home); err != nil {
			t.Fatal(err)
		}
		_, err = w.LogIn(t.Context(), access.LogIn{User: better, Password: better, From: home}) // in the wrong field
		want(t, err, continuity.CodeLogin)
		planted := []string{good, better, session, made.Secret.Reveal(), ownToken, "argon2"}
		for kind, id := range map[string]string{"user": "ann", "session": ann.Session, "token": made.Of.ID} {
			_, hash, err := w.store.Proof(t.Context(), kind, id)
			if err != nil || hash == "" {
				t.Fatal(kind, err)
			}
			planted = append(planted, hash)
		}
		var text bytes.Buffer
		events, _, err := w.store.Events(t.Context(), continuity.EventQuery{})
		if err != nil {
			t.Fatal(err)
		}
		var actions []string
		for _, e := range events {
			b, _ := json.Marshal(e)
			text.Write(b)
			fmt.Fprintf(&text, "%s %s %+v\n", e.Before, e.After, e)
			actions = append(actions, e.Action)
		}
		for _, action := range []string{"user.added", "user.password", "session.opened", "token.added", "admins.changed", "break-glass.used"} {
			if !slices.Contains(actions, action) {
				t.Errorf("no event %s among %v", action, actions)
			}
		}
		users, _, err := w.Users(t.Context(), w.file, "", 0)
		tokens, err2 := w.Tokens(t.Context(), w.file)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		fmt.Fprintf(&text, "%+v %#v %+v %s %+v", users, tokens, made, w.log.String(), made.Secret)
		b, _ := json.Marshal(made)
		text.Write(b)
		for _, secret := range planted {
			if strings.Contains(text.String(), secret) {
				t.Errorf("%q shows", secret)
			}
		}
	})
}

func TestTheOwnTokenIsNoted(t *testing.T) {
	w := newWorld(t, filepath.Join(t.TempDir(), "state.db"))
	count := func() int {
		t.Helper()
		events, _, err := w.store.Events(t.Context(), continuity.EventQuery{Action: "break-glass.used"})
		if err != nil {
			t.Fatal(err)
		}
		return len(events)
	}
	for range 3 {
		w.as(ownToken)
	}
	if count() != 0 { // nobody could have come in another way
		t.Fatal(count())
	}
	w.add("ann", access.Admin)
	for range 3 {
		w.as(ownToken)
	}
	if count() != 1 {
		t.Fatal(count())
	}
	if _, err := w.Bearer(t.Context(), ownToken, "", netip.MustParseAddr("192.0.2.2")); err != nil || count() != 2 {
		t.Fatal(count(), err)
	}
	w.wait(15 * time.Minute)
	w.as(ownToken)
	if count() != 3 {
		t.Fatal(count())
	}
	if err := w.store.Close(); err != nil { // it gets in even so
		t.Fatal(err)
	}
	w.wait(15 * time.Minute)
	w.as(ownToken)
	// A database that does not answer refuses nobody: it is said as what it is.
	_, err := w.Bearer(t.Context(), "hft_"+strings.Repeat("a", 75), "", home)
	want(t, err, continuity.CodeForbidden) // its checksum is wrong: nobody looks
}

func TestCookiesComeFromOwnPagesOnly(t *testing.T) {
	w := newWorld(t, filepath.Join(t.TempDir(), "state.db"))
	w.add("ann", access.Operator)
	s, err := w.LogIn(t.Context(), access.LogIn{User: "ann", Password: good, Via: "console", From: home})
	if err != nil {
		t.Fatal(err)
	}
	cookie := access.CookieOf(s.Secret, s.Of.Until)
	if text := cookie.String(); !strings.HasPrefix(text, "__Host-holdfast=hfs_") || !strings.Contains(text, "SameSite=Strict") || !strings.Contains(text, "Secure") || !strings.Contains(text, "HttpOnly") || !strings.Contains(text, "Path=/;") || strings.Contains(text, "Domain") {
		t.Fatal(text)
	}
	for _, c := range []struct {
		method, origin, site string
		in                   bool
	}{
		{"GET", "", "", true},
		{"GET", "", "same-origin", true},
		{"GET", "", "none", true},
		{"GET", "", "cross-site", false},
		{"GET", "", "same-site", false},
		{"GET", "https://evil.test", "", false},
		{"POST", "", "", false},
		{"POST", "", "none", false},
		{"POST", "", "same-origin", true},
		{"POST", "https://node.test", "", true},
		{"POST", "https://node.test", "same-origin", true},
		{"POST", "https://evil.test", "same-origin", false},
		{"POST", "https://node.test", "cross-site", false},
		{"POST", "https://node.test:8443", "", false},
		{"POST", "null", "", false},
		{"DELETE", "", "", false},
	} {
		r := httptest.NewRequest(c.method, "https://node.test/api/v1/x", nil)
		r.AddCookie(cookie)
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if c.site != "" {
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		p, err := w.Request(r)
		if (err == nil) != c.in || c.in && p.User() != "ann" {
			t.Errorf("%+v: %v %v", c, p, err)
		}
		if !c.in {
			want(t, err, continuity.CodeForbidden)
		}
	}
	// A cookie is a session; a token in one, or an unknown scheme, is nothing.
	r := httptest.NewRequest("GET", "https://node.test/", nil)
	r.Header.Set("Authorization", "Basic "+s.Secret.Reveal())
	_, err = w.Request(r)
	want(t, err, continuity.CodeForbidden)
	r.Header.Set("Authorization", "Bearer "+s.Secret.Reveal())
	if p, err := w.Request(r); err != nil || p.User() != "ann" {
		t.Fatal(p, err)
	}
}
