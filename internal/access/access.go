package access

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/alexedwards/argon2id"

	"holdfast/internal/continuity"
	"holdfast/internal/secret"
)

// Store keeps users, sessions and tokens.
type Store interface {
	Get(ctx context.Context, kind, id string) (continuity.Object, error)
	List(ctx context.Context, q continuity.Query) ([]continuity.Object, string, error)
	Apply(ctx context.Context, actor continuity.Actor, changes []continuity.Change) ([]continuity.Object, error)
	Proof(ctx context.Context, kind, id string) (continuity.Object, string, error)
	Saw(ctx context.Context, kind, id string, at time.Time) error
	Seen(ctx context.Context, kind, id string) (time.Time, error)
}

// The kinds of objects.
const (
	kindUser    = "user"
	kindSession = "session"
	kindToken   = "token"
	kindAccess  = "access" // what concerns all of them

	adminsID = "admins"      // who the admins are that can log in
	glassID  = "break-glass" // when the node's own token was last used
)

// Options is what an Engine needs.
type Options struct {
	Now      func() time.Time       // default: time.Now
	File     func(text string) bool // whether a text is the node's own token; nil: there is none
	Node     string                 // its name
	Logger   *slog.Logger           // default: none
	Idle     time.Duration          // a session that nobody uses so long is over; default: 4 h
	Absolute time.Duration          // a session so old is over; default: 24 h
	Cost     *argon2id.Params       // of new hashes; default: 64 MiB, two passes
}

// Engine says who asks, and keeps users, sessions and tokens.
type Engine struct {
	Options
	store     Store
	passwords *passwords
	attempts  *attempts
	used      *marks // when tokens and the node's own one were noted as used
}

// New makes an Engine.
func New(s Store, o Options) *Engine {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Idle <= 0 {
		o.Idle = 4 * time.Hour
	}
	if o.Absolute <= 0 {
		o.Absolute = 24 * time.Hour
	}
	if o.Cost == nil {
		o.Cost = &argon2id.Params{Memory: 64 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	}
	return &Engine{Options: o, store: s, passwords: newPasswords(o.Cost), attempts: &attempts{}, used: &marks{}}
}

func (e *Engine) now() time.Time { return e.Now().UTC().Truncate(time.Microsecond) }

// Principal is who asks.
type Principal struct {
	Actor   continuity.Actor
	Name    string // as people call them
	Role    Role   // the user's; what a token may is in Scopes alone
	Scopes  Set
	Session string    // the id of the session, where it is one
	Token   string    // the id of the token, where it is one
	Until   time.Time // when that ends at the latest; zero: never
}

// User is the id of the user who asks, or whose token does; empty for the node's
// own token and those made by it.
func (p Principal) User() string {
	if p.Actor.Kind != ActorUser {
		return ""
	}
	return p.Actor.ID
}

// Kinds of actors.
const (
	ActorUser  = "user"
	ActorToken = "token"
)

// FileToken is the id of the node's own token.
const FileToken = "admin.token"

// may refuses who lacks a scope.
func (p Principal) may(scope Scope) error {
	if p.Scopes.Has(scope) {
		return nil
	}
	return continuity.E(continuity.CodeScope, nil, "scope", string(scope), "name", p.Name)
}

// covers refuses who lacks any scope of a role.
func (p Principal) covers(role Role) error {
	for _, scope := range role.Scopes().List() {
		if err := p.may(scope); err != nil {
			return err
		}
	}
	return nil
}

// invalid is a mistake in what was asked; detail is an id of the catalogue.
func invalid(detail string, pairs ...any) error {
	return continuity.E(continuity.CodeInvalid, errors.New(detail), append([]any{"detail_id", detail}, pairs...)...)
}

// state is what can't be done as things are.
func state(detail string, pairs ...any) error {
	return continuity.E(continuity.CodeState, errors.New(detail), append([]any{"detail_id", detail}, pairs...)...)
}

func read[T any](o continuity.Object) (v T, err error) {
	if err := json.Unmarshal(o.Body, &v); err != nil {
		return v, fmt.Errorf("%s %s: %w", o.Kind, o.ID, err)
	}
	return v, nil
}

func put(kind, id string, version int64, action, reason string, v any) (continuity.Change, error) {
	body, err := json.Marshal(v)
	return continuity.Change{Kind: kind, ID: id, Version: version, Body: body, Action: action, Reason: reason}, err
}

func drop(o continuity.Object, action, reason string) continuity.Change {
	return continuity.Change{Kind: o.Kind, ID: o.ID, Version: continuity.VersionAny, Action: action, Reason: reason}
}

// each visits all objects of a kind.
func each[T any](ctx context.Context, s Store, kind string, visit func(continuity.Object, T) error) error {
	for q := (continuity.Query{Kind: kind, Limit: 1000}); ; {
		page, next, err := s.List(ctx, q)
		if err != nil {
			return err
		}
		for _, o := range page {
			v, err := read[T](o)
			if err == nil {
				err = visit(o, v)
			}
			if err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		q.Cursor = next
	}
}

// Issued is a new secret, which is shown once, and what it belongs to.
type Issued[T any] struct {
	Secret secret.Text
	Of     T
}

func random(bytes int) []byte {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return b
}
