package controlapi

import (
	"context"
	"net/http"
	"time"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
	"holdfast/internal/problem"
)

// User is somebody who may log in.
type User struct {
	ID          string      `json:"id"`
	Name        string      `json:"name,omitempty"`
	Role        access.Role `json:"role" enum:"viewer,responder,operator,commander,admin"`
	Disabled    bool        `json:"disabled"`
	Made        time.Time   `json:"made"`
	PasswordSet time.Time   `json:"password_set"`
	Seen        time.Time   `json:"seen,omitzero"` // the last log-in
}

func shownUser(u access.User) User {
	return User{ID: u.ID, Name: u.Name, Role: u.Role, Disabled: u.Disabled, Made: u.Made, PasswordSet: u.PasswordSet, Seen: u.Seen}
}

func registerUsers(s *server) {
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/users", ID: "listUsers", Scope: access.UsersRead}, s.listUsers)
	register(s, operation{Method: http.MethodPost, Path: "/api/v1/users", ID: "addUser", Scope: access.UsersWrite, Status: http.StatusCreated, Private: true}, s.addUser)
	register(s, operation{Method: http.MethodGet, Path: "/api/v1/users/{id}", ID: "getUser", Anyone: true}, s.getUser)
	register(s, operation{Method: http.MethodPatch, Path: "/api/v1/users/{id}", ID: "editUser", Scope: access.UsersWrite, Edit: true}, s.editUser)
	register(s, operation{Method: http.MethodDelete, Path: "/api/v1/users/{id}", ID: "removeUser", Scope: access.UsersWrite, Edit: true}, s.removeUser)
	register(s, operation{Method: http.MethodPut, Path: "/api/v1/users/{id}/password", ID: "setPassword", Anyone: true, Status: http.StatusNoContent}, s.setPassword)
	register(s, operation{Method: http.MethodPost, Path: "/api/v1/users/{id}/log-out", ID: "logOutUser", Scope: access.UsersWrite}, s.logOutUser)
}

func (s *server) listUsers(ctx context.Context, in *struct{ Paging }) (*list[User], error) {
	page, next, err := s.Access.Users(ctx, callerOf(ctx), in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	var items []User
	for _, u := range page {
		items = append(items, shownUser(u))
	}
	return listOf(items, next), nil
}

func (s *server) addUser(ctx context.Context, in *struct {
	Body struct {
		ID       string      `json:"id" minLength:"1" maxLength:"64"`
		Name     string      `json:"name,omitempty" maxLength:"200"`
		Role     access.Role `json:"role" enum:"viewer,responder,operator,commander,admin"`
		Password string      `json:"password" minLength:"1" maxLength:"256" writeOnly:"true"`
		Reason   string      `json:"reason,omitempty" maxLength:"1000"`
	}
}) (*object[User], error) {
	b := in.Body
	u, err := s.Access.AddUser(ctx, callerOf(ctx), access.NewUser{ID: b.ID, Name: b.Name, Role: b.Role, Password: b.Password, Reason: b.Reason})
	if err != nil {
		return nil, err
	}
	return objectOf(shownUser(u), u.Version), nil
}

func (s *server) getUser(ctx context.Context, in *struct {
	ID string `path:"id"`
}) (*object[User], error) {
	u, err := s.Access.User(ctx, callerOf(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return objectOf(shownUser(u), u.Version), nil
}

func (s *server) editUser(ctx context.Context, in *struct {
	ID   string `path:"id"`
	Body struct {
		Role     access.Role `json:"role,omitempty" enum:"viewer,responder,operator,commander,admin"`
		Disabled *bool       `json:"disabled,omitempty"`
		Reason   string      `json:"reason,omitempty" maxLength:"1000"`
	}
}) (*object[User], error) {
	edit := access.Edit{ID: in.ID, Version: versionOf(ctx), Reason: in.Body.Reason}
	var u access.User
	var err error
	switch b := in.Body; {
	case b.Role != "" && b.Disabled == nil:
		u, err = s.Access.SetRole(ctx, callerOf(ctx), edit, b.Role)
	case b.Role == "" && b.Disabled != nil:
		u, err = s.Access.SetDisabled(ctx, callerOf(ctx), edit, *b.Disabled)
	default:
		err = continuity.E(continuity.CodeInvalid, nil, problem.DetailID, "controlapi.invalid.one-change")
	}
	if err != nil {
		return nil, err
	}
	return objectOf(shownUser(u), u.Version), nil
}

func (s *server) removeUser(ctx context.Context, in *struct {
	ID     string `path:"id"`
	Reason string `query:"reason" maxLength:"1000"`
}) (*nothing, error) {
	return nil, s.Access.RemoveUser(ctx, callerOf(ctx), access.Edit{ID: in.ID, Version: versionOf(ctx), Reason: in.Reason})
}

func (s *server) setPassword(ctx context.Context, in *struct {
	ID   string `path:"id"`
	Body struct {
		Current  string `json:"current,omitempty" maxLength:"256" writeOnly:"true"` // of those who change their own
		Password string `json:"password" minLength:"1" maxLength:"256" writeOnly:"true"`
		Reason   string `json:"reason,omitempty" maxLength:"1000"`
	}
}) (*nothing, error) {
	edit := access.Edit{ID: in.ID, Version: continuity.VersionAny, Reason: in.Body.Reason}
	return nil, s.Access.SetPassword(ctx, callerOf(ctx), edit, in.Body.Current, in.Body.Password, fromOf(ctx))
}

func (s *server) logOutUser(ctx context.Context, in *struct {
	ID string `path:"id"`
}) (*object[User], error) {
	u, err := s.Access.LogOutUser(ctx, callerOf(ctx), access.Edit{ID: in.ID, Version: continuity.VersionAny})
	if err != nil {
		return nil, err
	}
	return objectOf(shownUser(u), u.Version), nil
}
