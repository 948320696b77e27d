package access

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// Session is a user's whole self for a while.
type Session struct {
	ID         string    `json:"id"`
	User       string    `json:"user"`
	Serial     string    `json:"serial"`
	Generation int64     `json:"generation"`
	Made       time.Time `json:"made"`
	Until      time.Time `json:"until"`
	Via        string    `json:"via"` // console, cli
	From       string    `json:"from,omitempty"`
}

// mostSessions is how many a user has; the oldest give way.
const mostSessions = 20

// coarse is how exactly it is noted when something was last used: noting is
// writing.
const coarse = 5 * time.Minute

// LogIn is who wants to be let in, and from where.
type LogIn struct {
	User     string
	Password string
	Via      string
	From     netip.Addr
}

// LogIn opens a session.
func (e *Engine) LogIn(ctx context.Context, in LogIn) (Issued[Session], error) {
	var none Issued[Session]
	if len(in.Password) > longest || len(in.User) > 64 {
		return none, continuity.E(continuity.CodeLogin, nil)
	}
	o, hash, err := e.store.Proof(ctx, kindUser, in.User)
	var u User
	switch continuity.CodeOf(err) {
	case "":
		if u, err = read[User](o); err != nil {
			return none, err
		}
	case continuity.CodeNotFound, continuity.CodeInvalid:
	default:
		return none, err
	}
	same, err := e.try(ctx, in.User, in.Password, hash, in.From)
	if err != nil {
		return none, err
	}
	if !same || u.Disabled {
		name := u.ID // what was typed may be a password in the wrong field
		e.Logger.WarnContext(ctx, "log-in refused", "user", name, "from", in.From.String(), "disabled", u.Disabled)
		return none, continuity.E(continuity.CodeLogin, nil)
	}
	now := e.now()
	id, text, proof := issue(sessionPrefix)
	s := Session{ID: id, User: u.ID, Serial: u.Serial, Generation: u.Generation, Made: now, Until: now.Add(e.Absolute).Truncate(time.Microsecond), Via: in.Via}
	if in.From.IsValid() {
		s.From = in.From.String()
	}
	change, err := put(kindSession, id, continuity.VersionNew, "session.opened", "", s)
	if err != nil {
		return none, err
	}
	change.Proof = proof
	changes, err := e.oldSessions(ctx, u, now)
	if err != nil {
		return none, err
	}
	actor := continuity.Actor{Kind: ActorUser, ID: u.ID, Via: in.Via}
	if _, err := e.store.Apply(ctx, actor, append(changes, change)); err != nil {
		return none, err
	}
	e.note(ctx, kindUser, u.ID, now)
	return Issued[Session]{text, s}, nil
}

// oldSessions drops what is over of a user's sessions, and the oldest of too many.
func (e *Engine) oldSessions(ctx context.Context, u User, now time.Time) ([]continuity.Change, error) {
	var changes []continuity.Change
	var live []Session
	err := each(ctx, e.store, kindSession, func(o continuity.Object, s Session) error {
		switch {
		case s.User != u.ID:
			if now.After(s.Until) && len(changes) < 100 { // nobody else may come to tidy up
				changes = append(changes, drop(o, "session.expired", ""))
			}
		case !s.holds(u, now):
			changes = append(changes, drop(o, "session.expired", ""))
		default:
			live = append(live, s)
		}
		return nil
	})
	slices.SortFunc(live, func(a, b Session) int { return a.Made.Compare(b.Made) })
	for len(live) >= mostSessions {
		changes = append(changes, drop(continuity.Object{Kind: kindSession, ID: live[0].ID}, "session.ended", ""))
		live = live[1:]
	}
	return changes, err
}

// holds says whether a session is still its user's.
func (s Session) holds(u User, now time.Time) bool {
	return !u.Disabled && s.Serial == u.Serial && s.Generation == u.Generation && now.Before(s.Until)
}

// LogOut ends the session that asks for it.
func (e *Engine) LogOut(ctx context.Context, p Principal) error {
	if p.Session == "" {
		return state("access.no-session")
	}
	_, err := e.store.Apply(ctx, p.Actor, []continuity.Change{{Kind: kindSession, ID: p.Session, Version: continuity.VersionAny, Action: "session.ended"}})
	if continuity.CodeOf(err) == continuity.CodeNotFound {
		return nil
	}
	return err
}

// session finds the principal of a session.
func (e *Engine) session(ctx context.Context, id, text string) (Principal, error) {
	o, hash, err := e.store.Proof(ctx, kindSession, id)
	if err != nil {
		return Principal{}, unknown(err)
	}
	s, err := read[Session](o)
	if err != nil {
		return Principal{}, err
	}
	if !proven(text, hash) {
		return Principal{}, unknown(nil)
	}
	u, err := e.known(ctx, s.User)
	if err != nil {
		return Principal{}, err
	}
	now := e.now()
	seen, err := e.store.Seen(ctx, kindSession, id)
	if err != nil {
		return Principal{}, err
	}
	if seen.Before(s.Made) {
		seen = s.Made
	}
	if !s.holds(u, now) || now.Sub(seen) >= e.Idle {
		return Principal{}, unknown(errors.New("the session is over"))
	}
	if ctx.Value(unused{}) == nil && now.Sub(seen) >= min(coarse, e.Idle/4) {
		e.note(ctx, kindSession, id, now)
	}
	return Principal{
		Actor: continuity.Actor{Kind: ActorUser, ID: u.ID, Via: s.Via}, Name: called(u), Role: u.Role, Scopes: u.Role.Scopes(), Session: id, Until: s.Until,
	}, nil
}

// known returns a user who may act.
func (e *Engine) known(ctx context.Context, id string) (User, error) {
	o, err := e.store.Get(ctx, kindUser, id)
	if err != nil {
		return User{}, unknown(err)
	}
	u, err := read[User](o)
	if err == nil && u.Disabled {
		err = unknown(errors.New("the user is disabled"))
	}
	return u, err
}

// note writes down when something was last used. It is no state: where it fails,
// the next use notes it.
func (e *Engine) note(ctx context.Context, kind, id string, at time.Time) {
	if err := e.store.Saw(ctx, kind, id, at); err != nil {
		e.used.missed(kind + "/" + id)
		e.Logger.WarnContext(ctx, "last use not noted", "kind", kind, "id", id, "error", err)
	}
}

func called(u User) string {
	if u.Name != "" {
		return u.Name
	}
	return u.ID
}

// unknown is the one answer to whoever does not prove who they are.
func unknown(err error) error {
	switch continuity.CodeOf(err) {
	case "", continuity.CodeNotFound, continuity.CodeInternal:
		return continuity.E(continuity.CodeForbidden, err, "control", true)
	}
	return err // the database does not answer: nobody was refused
}
