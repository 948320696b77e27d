package access

import (
	"context"
	"errors"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// Token is a part of its maker's self, for a program.
type Token struct {
	ID     string    `json:"id"`
	Name   string    `json:"name"`
	Maker  string    `json:"maker,omitempty"`  // the user; empty: made by the node's own token
	Serial string    `json:"serial,omitempty"` // the maker's
	Scopes []Scope   `json:"scopes"`
	Made   time.Time `json:"made"`
	Until  time.Time `json:"until"`

	Version int64     `json:"-"`
	Used    time.Time `json:"-"` // coarse
	Now     []Scope   `json:"-"` // what it may at present: its maker may have less by now
}

// How long tokens hold.
const (
	tokenDefault = 90 * 24 * time.Hour
	tokenMost    = 2 * 366 * 24 * time.Hour
	mostTokens   = 100 // of one maker
)

// NewToken is a token to be.
type NewToken struct {
	Name   string
	Scopes []Scope
	For    time.Duration // 0: 90 days
	Reason string
}

// AddToken makes a token. Only people make some, and the node's own token: one
// that makes others could outlive its own end.
func (e *Engine) AddToken(ctx context.Context, p Principal, n NewToken) (Issued[Token], error) {
	var none Issued[Token]
	if err := p.may(TokensWrite); err != nil {
		return none, err
	}
	if p.Token != "" && p.Token != FileToken {
		return none, state("access.token-by-token")
	}
	if n.For == 0 {
		n.For = tokenDefault
	}
	switch {
	case n.Name == "" || !sayable(n.Name):
		return none, invalid("access.invalid.name")
	case len(n.Scopes) == 0:
		return none, invalid("access.invalid.no-scopes")
	case n.For < time.Minute || n.For > tokenMost:
		return none, invalid("access.invalid.for")
	}
	for _, scope := range n.Scopes {
		if !slices.Contains(Scopes(), scope) {
			return none, invalid("access.invalid.scope", "words", scopeWords())
		}
		if err := p.may(scope); err != nil {
			return none, err
		}
	}
	now := e.now()
	id, text, proof := issue(tokenPrefix)
	t := Token{ID: id, Name: n.Name, Maker: p.User(), Scopes: SetOf(n.Scopes...).List(), Made: now, Until: now.Add(n.For).Truncate(time.Microsecond)}
	if t.Maker != "" {
		u, err := e.known(ctx, t.Maker)
		if err != nil {
			return none, err
		}
		t.Serial = u.Serial
	}
	changes, err := e.oldTokens(ctx, t.Maker, now)
	if err != nil {
		return none, err
	}
	change, err := put(kindToken, id, continuity.VersionNew, "token.added", n.Reason, t)
	if err != nil {
		return none, err
	}
	change.Proof = proof
	if _, err := e.store.Apply(ctx, p.Actor, append(changes, change)); err != nil {
		return none, err
	}
	t.Now = t.Scopes
	return Issued[Token]{text, t}, nil
}

// oldTokens drops a maker's tokens that ended a month ago, and refuses too many.
func (e *Engine) oldTokens(ctx context.Context, maker string, now time.Time) ([]continuity.Change, error) {
	var changes []continuity.Change
	many := 0
	err := each(ctx, e.store, kindToken, func(o continuity.Object, t Token) error {
		switch {
		case t.Maker != maker:
		case now.Sub(t.Until) > 30*24*time.Hour:
			changes = append(changes, drop(o, "token.expired", ""))
		default:
			many++
		}
		return nil
	})
	if err == nil && many >= mostTokens {
		err = state("access.many-tokens", "most", mostTokens)
	}
	return changes, err
}

// Tokens lists tokens by their ids: all to those who may see users, their own to
// others.
func (e *Engine) Tokens(ctx context.Context, p Principal) ([]Token, error) {
	all := p.Scopes.Has(UsersRead)
	if !all {
		if err := p.may(TokensWrite); err != nil {
			return nil, err
		}
	}
	var list []Token
	err := each(ctx, e.store, kindToken, func(o continuity.Object, t Token) error {
		if !all && (t.Maker == "" || t.Maker != p.User()) {
			return nil
		}
		t.Version = o.Version
		list = append(list, t)
		return nil
	})
	for i := range list {
		t := &list[i]
		if err == nil {
			t.Used, err = e.store.Seen(ctx, kindToken, t.ID)
		}
		if err == nil {
			var bounded Set
			if bounded, _, err = e.bounded(ctx, *t); continuity.CodeOf(err) == continuity.CodeForbidden {
				err = nil
			}
			t.Now = bounded.List()
		}
	}
	return list, err
}

// RevokeToken ends a token: one's own, or anybody's whose scopes one has.
func (e *Engine) RevokeToken(ctx context.Context, p Principal, id, reason string) error {
	if err := p.may(TokensWrite); err != nil {
		return err
	}
	o, err := e.store.Get(ctx, kindToken, id)
	if err != nil {
		return err
	}
	t, err := read[Token](o)
	if err != nil {
		return err
	}
	if t.Maker == "" || t.Maker != p.User() {
		if err := p.may(UsersWrite); err != nil {
			return err
		}
	}
	_, err = e.store.Apply(ctx, p.Actor, []continuity.Change{drop(o, "token.revoked", reason)})
	return err
}

// bounded is what a token may at present, and its maker.
func (e *Engine) bounded(ctx context.Context, t Token) (Set, User, error) {
	set := SetOf(t.Scopes...)
	if !e.now().Before(t.Until) {
		return nil, User{}, unknown(errors.New("the token has expired"))
	}
	if t.Maker == "" {
		return set.Within(Admin.Scopes()), User{}, nil
	}
	u, err := e.known(ctx, t.Maker)
	if err == nil && u.Serial != t.Serial {
		err = unknown(errors.New("the token is of an earlier user of that name"))
	}
	if err != nil {
		return nil, User{}, err
	}
	return set.Within(u.Role.Scopes()), u, nil
}

// token finds the principal of a token. What a user's token does is the user's
// doing, so that nobody approves by a token what they wrote themselves.
func (e *Engine) token(ctx context.Context, id, text string) (Principal, error) {
	o, hash, err := e.store.Proof(ctx, kindToken, id)
	if err != nil {
		return Principal{}, unknown(err)
	}
	t, err := read[Token](o)
	if err != nil {
		return Principal{}, err
	}
	if !proven(text, hash) {
		return Principal{}, unknown(nil)
	}
	scopes, u, err := e.bounded(ctx, t)
	if err != nil {
		return Principal{}, err
	}
	if now := e.now(); e.used.due(kindToken+"/"+id, now, coarse) {
		e.note(ctx, kindToken, id, now)
	}
	p := Principal{Actor: continuity.Actor{Kind: ActorToken, ID: id, Via: "api"}, Name: t.Name, Role: u.Role, Scopes: scopes, Token: id, Until: t.Until}
	if t.Maker != "" {
		p.Actor = continuity.Actor{Kind: ActorUser, ID: u.ID, Via: "token " + id}
	}
	return p, nil
}

func scopeWords() string {
	words := ""
	for _, scope := range Scopes() {
		words += " " + string(scope)
	}
	return words[1:]
}
