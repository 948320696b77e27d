package mysql

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	client "github.com/go-sql-driver/mysql"

	"holdfast/internal/backup"
	"holdfast/internal/continuity"
)

var _ backup.Replacer = (*Driver)(nil)

var idForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,30}$`)

var (
	errNotPrepared = errors.New("nothing is prepared under this id")
	errMidst       = errors.New("a switch or its undoing ended in its midst: do that again first")
	errOpen        = errors.New("others use it")
	errHeld        = errors.New("another process is at it, or what one began has not ended yet")
)

// apartError says that tables can't be put back without others.
type apartError struct{ who string }

func (e *apartError) Error() string { return "these can't be put back by themselves: " + e.who }

// Prepare implements backup.Replacer. The whole database, and single tables, become
// another database of the same server.
func (d *Driver) Prepare(ctx context.Context, from backup.Instance, id string, tables []string, report backup.Report) error {
	return d.under(ctx, id, func(s *session) error {
		st, err := s.load(ctx)
		switch {
		case err == nil && st.Now == "":
			return errMidst
		case err == nil && st.Now == restored:
			return nil // was prepared, and is in its place
		case err != nil && !errors.Is(err, errNotPrepared):
			return err
		}
		if err := s.drop(ctx); err != nil { // what a crash left
			return err
		}
		err = s.prepare(ctx, from.Address(), tables, report)
		if err != nil {
			return errors.Join(err, s.drop(context.WithoutCancel(ctx)))
		}
		return nil
	})
}

// Switch implements backup.Replacer. All tables get their places by one statement; those
// with triggers are away for a moment before it, so that no row is written without them.
func (d *Driver) Switch(ctx context.Context, id string) error { return d.turn(ctx, id, restored) }

// Undo implements backup.Replacer. What was written since Switch goes aside with what was
// restored, and of single tables it goes.
func (d *Driver) Undo(ctx context.Context, id string) error { return d.turn(ctx, id, original) }

func (d *Driver) turn(ctx context.Context, id, goal string) error {
	return d.under(ctx, id, func(s *session) error {
		st, err := s.load(ctx)
		switch {
		case err != nil:
			return err
		case st.Now == goal:
			return nil
		case len(st.Parts) > 0:
			return s.turnTables(ctx, st, goal)
		}
		return s.turnWhole(ctx, st, goal)
	})
}

// Drop implements backup.Replacer.
func (d *Driver) Drop(ctx context.Context, id string) error {
	return d.under(ctx, id, func(s *session) error {
		st, err := s.load(ctx)
		if err == nil && st.Now == "" {
			return errMidst
		}
		if err != nil && !errors.Is(err, errNotPrepared) {
			return err
		}
		return s.drop(ctx)
	})
}

func (d *Driver) replacing(err error) error {
	if err == nil || continuity.CodeOf(err) != continuity.CodeInternal || errors.Is(err, context.Canceled) {
		return err
	}
	name := ""
	if d.config != nil {
		name = d.config.DBName
	}
	var parts *apartError
	var users *usersError
	switch {
	case errors.Is(err, errNotPrepared):
		return continuity.E(continuity.CodeBackupReplace, err, "source", name, "why", "prepared")
	case errors.As(err, &parts):
		return continuity.E(continuity.CodeBackupReplace, err, "source", name, "why", "tables", "who", parts.who)
	case errors.As(err, &users):
		return continuity.E(continuity.CodeBackupReplace, err, "source", name, "why", "open", "who", users.who)
	case busy(err):
		return continuity.E(continuity.CodeBackupReplace, err, "source", name, "why", "open")
	}
	return continuity.E(continuity.CodeBackupReplace, err, "source", name, "why", "", "cause", err.Error())
}

// names are those of a database, of the one with the copy beside it, and of the one with
// what was put aside.
type names struct{ own, copy, aside string }

func namesOf(database, id string) names {
	// There are 64 letters for a name.
	short := []rune(database)
	if most := 64 - len("__before") - len(id); len(short) > most {
		short = short[:most]
	}
	return names{database, string(short) + "_" + id, string(short) + "_" + id + "_before"}
}

// session is with the original's server. It holds a lock by the id: what a process that
// was killed began there has ended before another one goes on.
type session struct {
	names

	id     string
	config *client.Config
	conn   *sql.Conn
}

const (
	away    = 30 * time.Second // how long those who use a database are told to go
	holding = "holdfast_"      // names that are ours begin so
)

func (d *Driver) under(ctx context.Context, id string, do func(*session) error) error {
	if !idForm.MatchString(id) {
		return d.replacing(errNotPrepared)
	}
	if d.config == nil {
		return d.replacing(errNoSource)
	}
	c := d.config.Clone()
	c.DBName = "" // it may be gone
	db, err := connect(c)
	if err != nil {
		return d.replacing(err)
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return d.replacing(err)
	}
	defer conn.Close()
	s := &session{names: namesOf(d.config.DBName, id), id: id, config: d.config, conn: conn}
	var held sql.NullInt64
	if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK(?, 60)", holding+id).Scan(&held); err != nil {
		return d.replacing(err)
	}
	if held.Int64 != 1 {
		return d.replacing(errHeld)
	}
	defer func() { _ = s.run(context.WithoutCancel(ctx), "DO RELEASE_LOCK('"+holding+id+"')") }() // closing lets go of it, too
	err = s.run(ctx, "SET SESSION foreign_key_checks = 0, lock_wait_timeout = 2, innodb_lock_wait_timeout = 30")
	if err == nil {
		err = s.plain(ctx)
	}
	if err == nil {
		err = do(s)
	}
	return d.replacing(err)
}

// plain takes values as they are.
func (s *session) plain(ctx context.Context) error {
	return s.run(ctx, "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00'", "SET NAMES utf8mb4")
}

func (s *session) run(ctx context.Context, statements ...string) error {
	for _, statement := range statements {
		if _, err := s.conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// within has statements be of a database: one that backs up another leaves them out.
func (s *session) within(ctx context.Context, database string) error {
	return s.run(ctx, "USE "+quoted(database))
}

func (s *session) drop(ctx context.Context) error {
	return s.run(ctx, "DROP DATABASE IF EXISTS "+quoted(s.copy), "DROP DATABASE IF EXISTS "+quoted(s.aside))
}

func number(err error) uint16 {
	var e *client.MySQLError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

// busy reports whether others hold what is needed: a lock, or one of two that wait for
// each other.
func busy(err error) bool { n := number(err); return n == 1205 || n == 1213 || errors.Is(err, errHeld) }

// Whose data is in place.
const (
	original = "original"
	restored = "restored"
)

// state is what is written down, beside the copy, of something prepared.
type state struct {
	Of    string   `json:"of"`              // the database
	Now   string   `json:"now"`             // whose data is in place; empty: in the midst of a change
	Goal  string   `json:"goal,omitempty"`  // whose is to be
	Turns int      `json:"turns,omitempty"` // how often the whole was exchanged, or begun to be
	Parts []string `json:"parts,omitempty"` // single tables, parents first; none: the whole
	Rows  string   `json:"rows,omitempty"`  // of single tables: whose rows are in them

	Original side     `json:"original"`
	Restored side     `json:"restored"`
	Rights   []string `json:"rights,omitempty"` // on routines: they go with them
}

func (st *state) side(who string) *side {
	if who == restored {
		return &st.Restored
	}
	return &st.Original
}

func other(who string) string {
	if who == restored {
		return original
	}
	return restored
}

const stateTable = holding + "state"

// load reads the state; errNotPrepared where there is none.
func (s *session) load(ctx context.Context) (*state, error) {
	var text string
	err := s.conn.QueryRowContext(ctx, "SELECT state FROM "+quoted(s.copy)+"."+stateTable).Scan(&text) // #nosec G202 -- quoted
	if n := number(err); n == 1146 || n == 1049 || errors.Is(err, sql.ErrNoRows) {                     // no such table or database
		return nil, errNotPrepared
	}
	if err != nil {
		return nil, err
	}
	st := &state{}
	if err := json.Unmarshal([]byte(text), st); err != nil {
		return nil, err
	}
	if st.Of != s.own {
		return nil, fmt.Errorf("%s is of %s", s.copy, st.Of)
	}
	return st, nil
}

// begin writes the first state: what is prepared is complete.
func (s *session) begin(ctx context.Context, st *state) error {
	if err := s.within(ctx, s.copy); err != nil {
		return err
	}
	if err := s.run(ctx, "CREATE TABLE "+stateTable+" (one INT PRIMARY KEY, state LONGTEXT CHARACTER SET utf8mb4 NOT NULL) ENGINE=InnoDB"); err != nil {
		return err
	}
	text, err := json.Marshal(st)
	if err == nil {
		_, err = s.conn.ExecContext(ctx, "INSERT INTO "+stateTable+" VALUES (1, ?)", string(text))
	}
	return err
}

// save writes the state.
func (s *session) save(ctx context.Context, st *state) error {
	text, err := json.Marshal(st)
	if err == nil {
		_, err = s.conn.ExecContext(ctx, "UPDATE "+quoted(s.copy)+"."+stateTable+" SET state = ?", string(text)) // #nosec G202 -- quoted
	}
	return err
}

// generation tells data that took the original's place from the one before it: the log
// of the one does not follow on a dump of the other.
func generation(ctx context.Context, db asked) (string, error) {
	found, err := list(ctx, db, "SELECT table_schema, DATABASE() FROM information_schema.tables WHERE table_name = '"+stateTable+"' ORDER BY table_schema")
	if err != nil {
		return "", err
	}
	var all strings.Builder
	for _, row := range found {
		said, err := list(ctx, db, "SELECT state FROM "+quoted(row[0])+"."+stateTable) // #nosec G202 -- quoted
		if n := number(err); n == 1146 || n == 1049 {
			continue // it went in between
		}
		if err != nil {
			return "", err
		}
		var st state
		if len(said) != 1 || json.Unmarshal([]byte(said[0][0]), &st) != nil || st.Of != row[1] || st.Turns == 0 {
			continue
		}
		fmt.Fprintf(&all, "+%s.%d", row[0], st.Turns)
	}
	return all.String(), nil
}
