package access

import (
	"context"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"holdfast/internal/continuity"
)

// User is somebody who may log in. The id may be that of a person in plans.
type User struct {
	ID          string    `json:"id"`
	Name        string    `json:"name,omitempty"`
	Role        Role      `json:"role"`
	Disabled    bool      `json:"disabled,omitempty"`
	Made        time.Time `json:"made"`
	PasswordSet time.Time `json:"password_set"`

	Serial     string `json:"serial"`     // tells a user from a later one of the same id
	Generation int64  `json:"generation"` // sessions of an earlier one are over

	Version int64     `json:"-"`
	Seen    time.Time `json:"-"` // the last log-in
}

var userID = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$`)

// NewUser is a user to be.
type NewUser struct {
	ID       string
	Name     string
	Role     Role
	Password string
	Reason   string
}

// Edit is what all changes of a user say.
type Edit struct {
	ID      string
	Version int64 // that the caller saw, or continuity.VersionAny
	Reason  string
}

// AddUser makes a user.
func (e *Engine) AddUser(ctx context.Context, p Principal, n NewUser) (User, error) {
	if err := p.may(UsersWrite); err != nil {
		return User{}, err
	}
	switch {
	case !userID.MatchString(n.ID):
		return User{}, invalid("access.invalid.user")
	case !n.Role.Known():
		return User{}, invalid("access.invalid.role")
	case !sayable(n.Name):
		return User{}, invalid("access.invalid.name")
	}
	if err := p.covers(n.Role); err != nil {
		return User{}, err
	}
	if err := checkPassword(n.ID, n.Password); err != nil {
		return User{}, err
	}
	if _, err := e.store.Get(ctx, kindUser, n.ID); err == nil {
		return User{}, state("access.user-exists", "id", n.ID)
	} else if continuity.CodeOf(err) != continuity.CodeNotFound {
		return User{}, err
	}
	hash, err := e.passwords.hash(ctx, n.Password)
	if err != nil {
		return User{}, err
	}
	now := e.now()
	u := User{ID: n.ID, Name: n.Name, Role: n.Role, Made: now, PasswordSet: now, Serial: plain32.EncodeToString(random(10)), Generation: 1}
	return e.keep(ctx, p, User{}, u, "user.added", n.Reason, hash)
}

// Users lists users by their ids.
func (e *Engine) Users(ctx context.Context, p Principal, cursor string, limit int) (list []User, next string, err error) {
	if err := p.may(UsersRead); err != nil {
		return nil, "", err
	}
	page, next, err := e.store.List(ctx, continuity.Query{Kind: kindUser, Cursor: cursor, Limit: limit})
	if err != nil {
		return nil, "", err
	}
	for _, o := range page {
		u, err := e.userOf(ctx, o)
		if err != nil {
			return nil, "", err
		}
		list = append(list, u)
	}
	return list, next, nil
}

// Holding are the ids of the users whose role lets them do something.
func (e *Engine) Holding(ctx context.Context, scope Scope) (ids []string, err error) {
	for cursor := ""; ; {
		page, next, err := e.store.List(ctx, continuity.Query{Kind: kindUser, Cursor: cursor, Limit: 1000})
		if err != nil {
			return nil, err
		}
		for _, o := range page {
			u, err := read[User](o)
			if err != nil {
				return nil, err
			}
			if !u.Disabled && u.Role.Scopes().Has(scope) {
				ids = append(ids, u.ID)
			}
		}
		if cursor = next; cursor == "" {
			return ids, nil
		}
	}
}

// User shows one user: oneself to everybody, others to those who may see them.
func (e *Engine) User(ctx context.Context, p Principal, id string) (User, error) {
	if p.User() != id {
		if err := p.may(UsersRead); err != nil {
			return User{}, err
		}
	}
	o, err := e.store.Get(ctx, kindUser, id)
	if err != nil {
		return User{}, err
	}
	return e.userOf(ctx, o)
}

func (e *Engine) userOf(ctx context.Context, o continuity.Object) (User, error) {
	u, err := read[User](o)
	if err != nil {
		return u, err
	}
	u.Version = o.Version
	u.Seen, err = e.store.Seen(ctx, kindUser, u.ID)
	return u, err
}

// SetRole gives a user another role.
func (e *Engine) SetRole(ctx context.Context, p Principal, edit Edit, role Role) (User, error) {
	if !role.Known() {
		return User{}, invalid("access.invalid.role")
	}
	if err := p.covers(role); err != nil {
		return User{}, err
	}
	return e.change(ctx, p, edit, "user.role", func(u *User) { u.Role = role })
}

// SetDisabled keeps a user from logging in, with all sessions and tokens, or lets
// them in again: the tokens too, but no session of before.
func (e *Engine) SetDisabled(ctx context.Context, p Principal, edit Edit, disabled bool) (User, error) {
	action := "user.enabled"
	if disabled {
		action = "user.disabled"
	}
	return e.change(ctx, p, edit, action, func(u *User) {
		if u.Disabled != disabled {
			u.Disabled = disabled
			u.Generation++
		}
	})
}

// LogOutUser ends all sessions of a user.
func (e *Engine) LogOutUser(ctx context.Context, p Principal, edit Edit) (User, error) {
	return e.change(ctx, p, edit, "user.logged-out", func(u *User) { u.Generation++ })
}

// SetPassword gives a user another password; all sessions of the user end. Users
// who do so for themselves name the one they have.
func (e *Engine) SetPassword(ctx context.Context, p Principal, edit Edit, current, password string, from netip.Addr) error {
	o, hash, err := e.store.Proof(ctx, kindUser, edit.ID)
	own := p.Session != "" && p.User() == edit.ID
	if !own {
		if refused := p.may(UsersWrite); refused != nil {
			return refused
		}
	}
	if err != nil {
		return err
	}
	before, err := read[User](o)
	if err != nil {
		return err
	}
	before.Version = o.Version
	if own {
		same, err := e.try(ctx, edit.ID, current, hash, from)
		if err != nil {
			return err
		}
		if !same {
			return continuity.E(continuity.CodeLogin, nil)
		}
	} else if err := p.covers(before.Role); err != nil {
		return err
	}
	if err := seenVersion(edit, before); err != nil {
		return err
	}
	if err := checkPassword(edit.ID, password); err != nil {
		return err
	}
	if hash, err = e.passwords.hash(ctx, password); err != nil {
		return err
	}
	after := before
	after.PasswordSet = e.now()
	after.Generation++
	_, err = e.keep(ctx, p, before, after, "user.password", edit.Reason, hash)
	return err
}

// RemoveUser removes a user with all sessions and tokens.
func (e *Engine) RemoveUser(ctx context.Context, p Principal, edit Edit) error {
	if err := p.may(UsersWrite); err != nil {
		return err
	}
	o, err := e.store.Get(ctx, kindUser, edit.ID)
	if err != nil {
		return err
	}
	before, err := read[User](o)
	if err != nil {
		return err
	}
	before.Version = o.Version
	if err := p.covers(before.Role); err != nil {
		return err
	}
	if err := seenVersion(edit, before); err != nil {
		return err
	}
	changes := []continuity.Change{{Kind: kindUser, ID: edit.ID, Version: before.Version, Action: "user.removed", Reason: edit.Reason}}
	if changes, err = e.admins(ctx, changes, before, User{ID: edit.ID, Disabled: true}); err != nil {
		return err
	}
	err = each(ctx, e.store, kindToken, func(o continuity.Object, t Token) error {
		if t.Maker == edit.ID {
			changes = append(changes, drop(o, "token.revoked", edit.Reason))
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = each(ctx, e.store, kindSession, func(o continuity.Object, s Session) error {
		if s.User == edit.ID {
			changes = append(changes, drop(o, "session.ended", edit.Reason))
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = e.store.Apply(ctx, p.Actor, changes)
	return err
}

// change edits a user.
func (e *Engine) change(ctx context.Context, p Principal, edit Edit, action string, do func(*User)) (User, error) {
	if err := p.may(UsersWrite); err != nil {
		return User{}, err
	}
	o, err := e.store.Get(ctx, kindUser, edit.ID)
	if err != nil {
		return User{}, err
	}
	before, err := e.userOf(ctx, o)
	if err != nil {
		return User{}, err
	}
	if err := p.covers(before.Role); err != nil {
		return User{}, err
	}
	if err := seenVersion(edit, before); err != nil {
		return User{}, err
	}
	after := before
	do(&after)
	if after == before {
		return before, nil
	}
	return e.keep(ctx, p, before, after, action, edit.Reason, "")
}

func seenVersion(edit Edit, u User) error {
	if edit.Version != continuity.VersionAny && edit.Version != u.Version {
		return continuity.E(continuity.CodeVersion, nil, "kind", kindUser, "id", u.ID, "version", u.Version)
	}
	return nil
}

// keep writes a user down who was as before when it was decided.
func (e *Engine) keep(ctx context.Context, p Principal, before, after User, action, reason, hash string) (User, error) {
	change, err := put(kindUser, after.ID, before.Version, action, reason, after)
	if err != nil {
		return User{}, err
	}
	change.Proof = hash
	changes, err := e.admins(ctx, []continuity.Change{change}, before, after)
	if err != nil {
		return User{}, err
	}
	objects, err := e.store.Apply(ctx, p.Actor, changes)
	if err != nil {
		return User{}, err
	}
	after.Version = objects[0].Version
	return after, nil
}

type adminList struct {
	Admins []string `json:"admins"`
}

// admins adds to a change of a user what becomes of the list of admins who can log
// in. As the list has a version, of two changes at once that each leave one admin
// one fails.
func (e *Engine) admins(ctx context.Context, changes []continuity.Change, before, after User) ([]continuity.Change, error) {
	was := before.Role == Admin && !before.Disabled
	is := after.Role == Admin && !after.Disabled
	if was == is {
		return changes, nil
	}
	o, err := e.store.Get(ctx, kindAccess, adminsID)
	var list adminList
	switch continuity.CodeOf(err) {
	case continuity.CodeNotFound:
	case "":
		if list, err = read[adminList](o); err != nil {
			return nil, err
		}
	default:
		return nil, err
	}
	list.Admins = slices.DeleteFunc(list.Admins, func(id string) bool { return id == after.ID })
	if is {
		list.Admins = append(list.Admins, after.ID)
		slices.Sort(list.Admins)
	}
	if len(list.Admins) == 0 {
		return nil, state("access.last-admin")
	}
	change, err := put(kindAccess, adminsID, o.Version, "admins.changed", "", list)
	return append(changes, change), err
}

// sayable says whether a text can stand on one line.
func sayable(text string) bool {
	return len(text) <= 200 && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}
