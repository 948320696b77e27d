package access

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/secret"
)

// Cookie is what a browser keeps a session in. The prefix makes browsers refuse
// one that came without TLS, from another host, or for a part of the paths.
const Cookie = "__Host-holdfast"

// Request says who sends a request, by its Authorization field or its cookie.
func (e *Engine) Request(r *http.Request) (Principal, error) {
	if field := r.Header.Get("Authorization"); field != "" {
		scheme, text, _ := strings.Cut(field, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return Principal{}, unknown(errors.New("no bearer secret"))
		}
		return e.Bearer(r.Context(), strings.TrimSpace(text), r.Header.Get(PersonHeader), From(r))
	}
	c, err := r.Cookie(Cookie)
	if err != nil {
		return Principal{}, unknown(err)
	}
	if !bySite(r) {
		return Principal{}, continuity.E(continuity.CodeForbidden, errors.New("a cookie from elsewhere"), "foreign", true)
	}
	prefix, id, ok := parse(c.Value)
	if !ok || prefix != sessionPrefix {
		return Principal{}, unknown(nil)
	}
	return e.session(r.Context(), id, c.Value)
}

// Still says whether who sent a request may still go on with it. It is no use of
// their session, which is over after a while without one whatever stays open.
func (e *Engine) Still(r *http.Request) (Principal, error) {
	return e.Request(r.WithContext(context.WithValue(r.Context(), unused{}, true)))
}

type unused struct{}

// PersonHeader names who asks where only the node's own token says who may.
const PersonHeader = "Holdfast-Person"

// Bearer says who bears a secret. person is who they say they are, which counts
// with the node's own token only: who may read that may do anything.
func (e *Engine) Bearer(ctx context.Context, text, person string, from netip.Addr) (Principal, error) {
	prefix, id, ok := parse(text)
	switch {
	case ok && prefix == tokenPrefix:
		return e.token(ctx, id, text)
	case ok:
		return e.session(ctx, id, text)
	case e.File != nil && e.File(text):
		return e.file(ctx, person, from), nil
	}
	return Principal{}, unknown(nil)
}

// broken notes that the node's own token was used.
type broken struct {
	Node string    `json:"node"`
	From string    `json:"from,omitempty"`
	At   time.Time `json:"at"`
}

// glass is how often its use is noted while it goes on.
const glass = 15 * time.Minute

// file is the principal of the node's own token. It gets in where the database
// can't even note it: then the log does. Where there are no users yet it is the
// only way in, and only what it changes is an event.
func (e *Engine) file(ctx context.Context, person string, from netip.Addr) Principal {
	name, err := url.PathUnescape(strings.TrimSpace(person))
	if err != nil || name == "" || !sayable(name) {
		name = "admin"
	}
	p := Principal{Actor: continuity.Actor{Kind: ActorToken, ID: name, Via: "admin-token"}, Name: name, Role: Admin, Scopes: Admin.Scopes(), Token: FileToken}
	now := e.now()
	key := glassID + "/" + from.String()
	if !e.used.due(key, now, glass) {
		return p
	}
	users, _, err := e.store.List(ctx, continuity.Query{Kind: kindUser, Limit: 1})
	if err == nil && len(users) == 0 {
		e.used.missed(key)
		return p
	}
	note := broken{Node: e.Node, At: now}
	if from.IsValid() {
		note.From = from.String()
	}
	e.Logger.WarnContext(ctx, "the node's own token is used", "from", note.From)
	change, err := put(kindAccess, glassID, continuity.VersionAny, "break-glass.used", "", note)
	if err == nil {
		_, err = e.store.Apply(ctx, p.Actor, []continuity.Change{change})
	}
	if err != nil {
		e.used.missed(key)
		e.Logger.ErrorContext(ctx, "use of the node's own token not noted", "error", err)
	}
	return p
}

// bySite says whether a browser sent a request with a cookie from a page of this
// node itself. What changes something must say where it comes from.
func bySite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin":
	case "none": // typed by a person
		return safe(r.Method)
	case "":
		if r.Header.Get("Origin") == "" {
			return safe(r.Method)
		}
	default:
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host)
}

func safe(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// From is the address that a request comes from.
func From(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}

// CookieOf is the cookie of a session, and of none where text is empty.
func CookieOf(text secret.Text, until time.Time) *http.Cookie {
	c := &http.Cookie{Name: Cookie, Value: text.Reveal(), Path: "/", Expires: until, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if text.Empty() {
		c.Expires, c.MaxAge = time.Time{}, -1
	}
	return c
}
