package controlapi

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/secret"
)

// Access keeps users, sessions and tokens.
type Access interface {
	LogIn(ctx context.Context, in access.LogIn) (access.Issued[access.Session], error)
	LogOut(ctx context.Context, p access.Principal) error

	AddUser(ctx context.Context, p access.Principal, n access.NewUser) (access.User, error)
	Users(ctx context.Context, p access.Principal, cursor string, limit int) ([]access.User, string, error)
	User(ctx context.Context, p access.Principal, id string) (access.User, error)
	SetRole(ctx context.Context, p access.Principal, edit access.Edit, role access.Role) (access.User, error)
	SetDisabled(ctx context.Context, p access.Principal, edit access.Edit, disabled bool) (access.User, error)
	SetPassword(ctx context.Context, p access.Principal, edit access.Edit, current, password string, from netip.Addr) error
	LogOutUser(ctx context.Context, p access.Principal, edit access.Edit) (access.User, error)
	RemoveUser(ctx context.Context, p access.Principal, edit access.Edit) error

	AddToken(ctx context.Context, p access.Principal, n access.NewToken) (access.Issued[access.Token], error)
	Tokens(ctx context.Context, p access.Principal) ([]access.Token, error)
	RevokeToken(ctx context.Context, p access.Principal, id, reason string) error
}

// Myself is who asks.
type Myself struct {
	User   string         `json:"user,omitempty"`
	Name   string         `json:"name"`
	Role   access.Role    `json:"role,omitempty"`
	Scopes []access.Scope `json:"scopes" nullable:"false"`
	By     string         `json:"by" enum:"session,token,file"`
	Until  time.Time      `json:"until,omitzero"`
}

func registerSessions(s *server) {
	register(s, operation{Method: http.MethodPost, Path: "/api/v1/sessions", ID: "logIn", Open: true, Private: true, Status: http.StatusCreated, Body: 4 << 10}, s.logIn)
	register(s, operation{Method: http.MethodDelete, Path: "/api/v1/sessions/current", ID: "logOut", Anyone: true}, s.logOut)
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/me", ID: "getMyself", Anyone: true}, s.myself)
}

// Opened is a session; the token is shown here only, and not at all where a cookie
// bears it.
type Opened struct {
	Token string    `json:"token,omitempty"`
	User  string    `json:"user"`
	Until time.Time `json:"until"`
}

type opened struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      Opened
}

func (s *server) logIn(ctx context.Context, in *struct {
	Body struct {
		User     string `json:"user" minLength:"1" maxLength:"64"`
		Password string `json:"password" minLength:"1" maxLength:"256" writeOnly:"true"`
		Cookie   bool   `json:"cookie,omitempty"`
	}
}) (*opened, error) {
	via := "cli"
	if in.Body.Cookie {
		via = "console"
	}
	session, err := s.Access.LogIn(ctx, access.LogIn{User: in.Body.User, Password: in.Body.Password, Via: via, From: fromOf(ctx)})
	if err != nil {
		return nil, err
	}
	out := &opened{Body: Opened{User: session.Of.User, Until: session.Of.Until}}
	if in.Body.Cookie {
		out.SetCookie = []http.Cookie{*access.CookieOf(session.Secret, session.Of.Until)}
	} else {
		out.Body.Token = session.Secret.Reveal()
	}
	return out, nil
}

type ended struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
}

func (s *server) logOut(ctx context.Context, _ *struct{}) (*ended, error) {
	return &ended{[]http.Cookie{*access.CookieOf(secret.Text{}, time.Time{})}}, s.Access.LogOut(ctx, callerOf(ctx))
}

func (s *server) myself(ctx context.Context, _ *struct{}) (*plain[Myself], error) {
	p := callerOf(ctx)
	me := Myself{User: p.User(), Name: p.Name, Role: p.Role, Scopes: p.Scopes.List(), Until: p.Until, By: "token"}
	switch {
	case p.Session != "":
		me.By = "session"
	case p.Token == access.FileToken:
		me.By = "file"
	}
	return &plain[Myself]{me}, nil
}
