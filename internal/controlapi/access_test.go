package controlapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
	"holdfast/internal/notify"
	"holdfast/internal/people"
	"holdfast/internal/store"
)

const (
	ownToken = "the-node's-own-token-of-32-bytes-or-more"
	oars     = "a vessel of nine oars"
)

// newDoor is the API with users, tokens and people, over a real database.
func newDoor(t *testing.T) *api {
	t.Helper()
	a := &api{now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
	var err error
	now := func() time.Time { return a.now }
	if a.store, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"), store.Clock(now)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.store.Close() })
	engine := access.New(a.store, access.Options{
		Now: now, File: func(text string) bool { return text == ownToken },
		Cost: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32},
	})
	h, err := New(Options{
		Authenticate: engine.Request, Version: "1.0", Answers: a.store, Ready: func() error { return nil }, Logger: slog.New(slog.DiscardHandler),
		Events: feed{a.store}, Now: now, Access: engine, Notifications: notify.NewActs(a.store, nil, now),
		People: people.Roster{
			Store: a.store.People(), Now: now,
			Mentions: func() []continuity.Mention {
				return []continuity.Mention{{Person: "li.wei", Service: "orders", File: "orders.yaml", Line: 7, Column: 8, Where: "owner"}}
			},
			Wipe: func(ctx context.Context, actor continuity.Actor, id, reason string) error {
				return a.store.Erase(ctx, actor, "person", id, reason)
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	a.server = h.(*server)
	return a
}

// as asks by a bearer secret, wants a status and reads the answer.
func (a *api) as(t *testing.T, bearer string, status int, method, path, body string, headers ...string) (map[string]any, *http.Response) {
	t.Helper()
	if bearer != "" {
		bearer = "Bearer " + bearer
	}
	r := a.ask(t, method, path, body, append([]string{"Authorization", bearer}, headers...)...)
	text := textOf(t, r)
	if r.StatusCode != status {
		t.Fatalf("%s %s: %d, want %d: %s", method, path, r.StatusCode, status, text)
	}
	var out map[string]any
	if text != "" {
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			t.Fatal(err, text)
		}
	}
	return out, r
}

func TestUsersLogInAndAreBounded(t *testing.T) {
	a := newDoor(t)
	a.as(t, "", http.StatusUnauthorized, "GET", "/api/v1/users", "")
	add := func(id, role string) {
		t.Helper()
		a.as(t, ownToken, http.StatusCreated, "POST", "/api/v1/users", `{"id":"`+id+`","role":"`+role+`","password":"`+oars+`"}`)
	}
	add("root", "admin")
	add("eve", "viewer")
	a.as(t, "", http.StatusUnauthorized, "POST", "/api/v1/sessions", `{"user":"root","password":"wrong"}`)
	logIn := func(id string) string {
		t.Helper()
		out, _ := a.as(t, "", http.StatusCreated, "POST", "/api/v1/sessions", `{"user":"`+id+`","password":"`+oars+`"}`)
		return out["token"].(string)
	}
	root, eve := logIn("root"), logIn("eve")
	if me, _ := a.as(t, eve, http.StatusOK, "GET", "/api/v1/me", ""); me["user"] != "eve" || me["role"] != "viewer" || me["by"] != "session" {
		t.Fatal(me)
	}
	a.as(t, eve, http.StatusForbidden, "POST", "/api/v1/users", `{"id":"new","role":"viewer","password":"`+oars+`"}`)
	a.as(t, eve, http.StatusForbidden, "GET", "/api/v1/users/root", "")
	_, r := a.as(t, eve, http.StatusOK, "GET", "/api/v1/users/eve", "")
	etag := r.Header.Get("ETag")
	a.as(t, root, http.StatusPreconditionRequired, "PATCH", "/api/v1/users/eve", `{"role":"operator"}`)
	a.as(t, root, http.StatusBadRequest, "PATCH", "/api/v1/users/eve", `{"role":"operator","disabled":true}`, "If-Match", etag)
	a.as(t, root, http.StatusOK, "PATCH", "/api/v1/users/eve", `{"role":"operator","reason":"on call"}`, "If-Match", etag)
	a.as(t, root, http.StatusPreconditionFailed, "PATCH", "/api/v1/users/eve", `{"role":"viewer"}`, "If-Match", etag)
	a.as(t, root, http.StatusConflict, "DELETE", "/api/v1/users/root", "", "If-Match", "*")

	made, _ := a.as(t, eve, http.StatusCreated, "POST", "/api/v1/tokens", `{"name":"deploy","scopes":["plans:write","plans:read"],"seconds":3600}`)
	token := made["secret"].(string)
	a.as(t, eve, http.StatusForbidden, "POST", "/api/v1/tokens", `{"name":"x","scopes":["users:write"]}`)
	a.as(t, token, http.StatusForbidden, "GET", "/api/v1/events", "")
	if out, _ := a.as(t, eve, http.StatusOK, "GET", "/api/v1/tokens", ""); len(out["items"].([]any)) != 1 || strings.Contains(token, "secret") {
		t.Fatal(out)
	}
	a.as(t, eve, http.StatusNoContent, "DELETE", "/api/v1/tokens/"+made["id"].(string), "")
	a.as(t, token, http.StatusUnauthorized, "GET", "/api/v1/me", "")

	a.as(t, eve, http.StatusUnauthorized, "PUT", "/api/v1/users/eve/password", `{"current":"wrong","password":"a vessel of ten oars"}`)
	a.as(t, eve, http.StatusNoContent, "PUT", "/api/v1/users/eve/password", `{"current":"`+oars+`","password":"a vessel of ten oars"}`)
	a.as(t, eve, http.StatusUnauthorized, "GET", "/api/v1/me", "")
	a.as(t, root, http.StatusNoContent, "DELETE", "/api/v1/sessions/current", "")
	a.as(t, root, http.StatusUnauthorized, "GET", "/api/v1/me", "")
}

func TestTheConsolesCookie(t *testing.T) {
	a := newDoor(t)
	a.as(t, ownToken, http.StatusCreated, "POST", "/api/v1/users", `{"id":"root","role":"admin","password":"`+oars+`"}`)
	out, r := a.as(t, "", http.StatusCreated, "POST", "/api/v1/sessions", `{"user":"root","password":"`+oars+`","cookie":true}`, "Origin", "http://127.0.0.1")
	cookies := r.Cookies()
	if out["token"] != nil || len(cookies) != 1 || cookies[0].Name != "__Host-holdfast" || !cookies[0].Secure || cookies[0].SameSite != http.SameSiteStrictMode {
		t.Fatal(out, cookies)
	}
	with := []string{"Cookie", cookies[0].Name + "=" + cookies[0].Value}
	a.as(t, "", http.StatusOK, "GET", "/api/v1/me", "", with...)
	a.as(t, "", http.StatusUnauthorized, "DELETE", "/api/v1/sessions/current", "", with...)
	a.as(t, "", http.StatusUnauthorized, "DELETE", "/api/v1/sessions/current", "", append(with, "Origin", "https://evil.example")...)
	_, r = a.as(t, "", http.StatusNoContent, "DELETE", "/api/v1/sessions/current", "", append(with, "Origin", "http://127.0.0.1")...)
	if c := r.Cookies(); len(c) != 1 || c[0].MaxAge >= 0 || c[0].Value != "" {
		t.Fatal(c)
	}
	a.as(t, "", http.StatusUnauthorized, "GET", "/api/v1/me", "", with...)
}

func TestPeopleAndWherePlansNameThem(t *testing.T) {
	a := newDoor(t)
	const list = `{"people":[{"id":"li.wei","names":{"zh":"李伟"},"addresses":[{"kind":"phone","value":"13800138000"}]},{"id":"wu","names":{"en":"Wu"}}]`
	if out, _ := a.as(t, ownToken, http.StatusOK, "POST", "/api/v1/people/import", list+`,"dry_run":true}`); out["done"] != false || len(out["added"].([]any)) != 2 {
		t.Fatal(out)
	}
	if out, _ := a.as(t, ownToken, http.StatusOK, "GET", "/api/v1/people", ""); len(out["items"].([]any)) != 0 {
		t.Fatal(out)
	}
	a.as(t, ownToken, http.StatusOK, "POST", "/api/v1/people/import", list+`}`)
	out, _ := a.as(t, ownToken, http.StatusOK, "POST", "/api/v1/people/li.wei/left", `{"reason":"quit"}`)
	named := out["named"].([]any)
	if out["gone"] != true || len(named) != 1 || named[0].(map[string]any)["file"] != "orders.yaml" || named[0].(map[string]any)["line"] != 7.0 {
		t.Fatal(out)
	}
	a.as(t, ownToken, http.StatusConflict, "DELETE", "/api/v1/people/li.wei", "")
	if out, _ = a.as(t, ownToken, http.StatusOK, "POST", "/api/v1/people/li.wei/left", `{"stays":true}`); out["gone"] != false {
		t.Fatal(out)
	}
	a.as(t, ownToken, http.StatusOK, "PUT", "/api/v1/people/chen", `{"names":{"en":"Chen"}}`, "If-None-Match", "*")
	a.as(t, ownToken, http.StatusPreconditionFailed, "PUT", "/api/v1/people/chen", `{"names":{"en":"Chen"}}`, "If-None-Match", "*")
	a.as(t, ownToken, http.StatusNoContent, "DELETE", "/api/v1/people/wu", "")
	a.as(t, ownToken, http.StatusNotFound, "GET", "/api/v1/people/wu", "")
}

// TestAddressesOfStrangersAreMasked asks for a notification to an address of nobody
// who is known.
func TestAddressesOfStrangersAreMasked(t *testing.T) {
	a := newDoor(t)
	stranger := continuity.Recipient{Kind: continuity.ToAddress, ID: "mail", Address: "kate@example.com"}
	n := continuity.Notification{ID: "orders.n-1", Service: "orders", About: "service/orders", Deliver: 1, To: []continuity.Recipient{stranger}, Escalate: []continuity.Recipient{stranger}}
	d := continuity.Delivery{ID: "orders.n-1.d-1", Notification: n.ID, Service: "orders", To: stranger}
	_, err := a.store.Commit(t.Context(), continuity.Batch{Actor: continuity.Actor{Kind: "engine", ID: "test"}, Changes: []continuity.Change{
		continuity.Tell(n), {Kind: continuity.KindDelivery, ID: d.ID, Service: d.Service, Version: continuity.VersionNew, Body: marshalled(d), Action: "delivery.made"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	made, _ := a.as(t, ownToken, http.StatusCreated, "POST", "/api/v1/tokens", `{"name":"siem","scopes":["events:read","notifications:read"],"seconds":3600}`)
	for _, path := range []string{"/notifications/orders.n-1", "/notifications", "/events?kind=notification", "/events?kind=delivery"} {
		out, _ := a.as(t, made["secret"].(string), http.StatusOK, "GET", "/api/v1"+path, "")
		if text := string(marshalled(out)); strings.Contains(text, "kate") || !strings.Contains(text, "k…@example.com") {
			t.Errorf("%s: %s", path, text)
		}
	}
}

// TestAddressesAreForThoseWhoMayReadPeople looks at a person's events with leave to
// read events and without leave to read people.
func TestAddressesAreForThoseWhoMayReadPeople(t *testing.T) {
	a := newDoor(t)
	const li = `{"names":{"zh":"李伟"},"language":"zh","addresses":[{"kind":"phone","value":"13800138000"},{"kind":"mail","value":"li.wei@example.com"}]}`
	a.as(t, ownToken, http.StatusOK, "PUT", "/api/v1/people/li.wei", li, "If-None-Match", "*")
	a.as(t, ownToken, http.StatusBadRequest, "PUT", "/api/v1/people/wu", `{"names":{"en":"Wu"},"addresses":[{"kind":"whatsapp","value":"no number"}]}`, "If-None-Match", "*")
	for scopes, hidden := range map[string]bool{`"events:read"`: true, `"events:read","people:read"`: false} {
		made, _ := a.as(t, ownToken, http.StatusCreated, "POST", "/api/v1/tokens", `{"name":"siem","scopes":[`+scopes+`],"seconds":3600}`)
		out, _ := a.as(t, made["secret"].(string), http.StatusOK, "GET", "/api/v1/events?kind=person", "")
		text, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		for _, address := range []string{"13800138000", "li.wei@example.com"} {
			if strings.Contains(string(text), address) == hidden {
				t.Errorf("%s: %s", scopes, text)
			}
		}
		if strings.Contains(string(text), `"masked":true`) != hidden || !strings.Contains(string(text), "李伟") {
			t.Errorf("%s: %s", scopes, text)
		}
	}
}
