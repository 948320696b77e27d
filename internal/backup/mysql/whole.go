package mysql

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	client "github.com/go-sql-driver/mysql"

	"holdfast/internal/backup"
	"holdfast/internal/backup/child"
)

// prepare copies what was restored beside the original, and compares the two.
func (s *session) prepare(ctx context.Context, address string, parts []string, report backup.Report) error {
	from, err := client.ParseDSN(address)
	if err != nil {
		return err
	}
	db, err := connect(from)
	if err != nil {
		return err
	}
	defer db.Close()
	was, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer was.Close()
	// As the original is; where that is gone, as what was restored.
	like := "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata WHERE schema_name = "
	look, err := list(ctx, s.conn, like+literal(s.own))
	if err == nil && len(look) == 0 {
		look, err = list(ctx, was, like+"DATABASE()")
	}
	if err != nil {
		return err
	}
	as := " CHARACTER SET " + look[0][0] + " COLLATE " + look[0][1]
	if err := s.run(ctx, "CREATE DATABASE "+quoted(s.copy)+as, "CREATE DATABASE "+quoted(s.aside)+as); err != nil {
		return err
	}
	if err := s.within(ctx, s.copy); err != nil {
		return err
	}
	st := &state{Of: s.own, Now: original}
	if st.Restored, err = looked(ctx, was); err != nil {
		return err
	}
	if len(parts) > 0 {
		if st.Parts, err = s.prepareTables(ctx, was, from, parts, report); err != nil {
			return err
		}
		st.Rows, st.Restored = original, side{}
		return s.begin(ctx, st)
	}
	if slices.Contains(st.Restored.Tables, stateTable) {
		return &apartError{stateTable}
	}
	if err := s.copyIn(ctx, from, st.Restored.Tables, report); err != nil {
		return err
	}
	then, err := measure(ctx, was, nil, report)
	if err != nil {
		return err
	}
	now, err := measure(ctx, s.conn, nil, report)
	if err != nil {
		return err
	}
	for _, f := range then {
		if !slices.Contains(now, f) {
			return fmt.Errorf("the copy is not what was restored: %s of %s is not %s", f.Measure, f.Of, f.Value)
		}
	}
	if len(then) != len(now) {
		return errors.New("the copy has more than what was restored")
	}
	return s.begin(ctx, st)
}

func literal(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(text) + "'"
}

// copyIn has the server's programs copy tables into the database of the copy, with
// neither triggers nor anything else.
func (s *session) copyIn(ctx context.Context, from *client.Config, tables []string, report backup.Report, more ...string) error {
	if len(tables) == 0 {
		return nil
	}
	dir, err := os.MkdirTemp("", "holdfast-login-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	source, target := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	if err := errors.Join(credentials(source, from), credentials(target, s.config)); err != nil {
		return err
	}
	args := append([]string{"--defaults-file=" + source, "--single-transaction", "--quick", "--skip-triggers", "--skip-add-locks", "--hex-blob", "--tz-utc", "--default-character-set=utf8mb4"}, more...)
	read, err := command(ctx, dumpNames, append(append(args, from.DBName), tables...)...)
	if err != nil {
		return err
	}
	write, err := command(ctx, clientNames, "--defaults-file="+target, "--default-character-set=utf8mb4", "--max-allowed-packet=1G", "--batch", s.copy)
	if err != nil {
		return err
	}
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	read.Stdout = in
	reader, err := child.Start(read)
	if err = errors.Join(err, in.Close()); err != nil {
		return errors.Join(err, out.Close())
	}
	defer reader.Kill()
	content := &counted{Reader: out, report: report}
	write.Stdin = content
	err = statements(write)
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	if err := reader.Wait(); err != nil {
		return err
	}
	if !bytes.Contains(content.end, []byte("-- Dump completed")) {
		return errCut
	}
	return nil
}

// turnWhole puts the one side in the place of the other. Wherever it ends, the same or
// the other way round leads to a right end from there.
func (s *session) turnWhole(ctx context.Context, st *state, goal string) error {
	if err := s.within(ctx, s.copy); err != nil {
		return err
	}
	if st.Now != "" { // else both sides are known
		if err := s.run(ctx, "CREATE DATABASE IF NOT EXISTS "+quoted(s.own)); err != nil {
			return err
		}
		if err := s.takeStock(ctx, st); err != nil {
			return err
		}
	}
	st.Now, st.Goal = "", goal
	st.Turns++
	if err := s.save(ctx, st); err != nil {
		return err
	}
	err := s.settle(ctx, st, goal)
	if err != nil {
		// Whatever it was, what was there is what people get.
		ctx := context.WithoutCancel(ctx)
		goal = other(goal)
		if back := s.settle(ctx, st, goal); back != nil {
			return errors.Join(err, back)
		}
	}
	st.Now, st.Goal = goal, ""
	return errors.Join(err, s.save(context.WithoutCancel(ctx), st))
}

// takeStock writes down what is in place.
func (s *session) takeStock(ctx context.Context, st *state) (err error) {
	if err := s.within(ctx, s.own); err != nil {
		return err
	}
	// What refers to the tables from elsewhere would follow them to where they are put aside.
	outside, err := column(ctx, s.conn, `SELECT DISTINCT CONCAT(constraint_schema, '.', table_name) FROM information_schema.referential_constraints
		WHERE unique_constraint_schema = DATABASE() AND constraint_schema <> DATABASE()`)
	if err != nil {
		return err
	}
	if len(outside) > 0 {
		return &apartError{strings.Join(outside, ", ")}
	}
	here := st.side(st.Now)
	if *here, err = looked(ctx, s.conn); err != nil {
		return err
	}
	routine := func(o object) bool { return o.Kind != "VIEW" && o.Kind != "EVENT" }
	if slices.ContainsFunc(here.Objects, func(o object) bool { return routine(o) && !slices.Contains(st.side(other(st.Now)).Objects, o) }) {
		rights, err := s.rights(ctx)
		if err != nil {
			return err
		}
		for _, grant := range rights { // those of a routine that only the other side has stay known
			if !slices.Contains(st.Rights, grant) {
				st.Rights = append(st.Rights, grant)
			}
		}
	}
	return s.within(ctx, s.copy)
}

// move is of one table, from one place to another.
type move struct{ from, to place }

type place struct{ schema, table string }

func (p place) String() string { return quoted(p.schema) + "." + quoted(p.table) }

// shelf is where the tables of a side are while they are not in place: in a database of
// their own, or, on their way, hidden beside the others.
type shelf struct {
	*side

	schema string
	own    string
	mark   string
	there  map[place]bool
}

func (s *session) shelf(st *state, who string, there map[place]bool) shelf {
	schema := s.aside
	if who == restored {
		schema = s.copy
	}
	return shelf{st.side(who), schema, s.own, holding + s.id + "_" + who[:1], there}
}

func (h shelf) apart(i int) place  { return place{h.schema, h.Tables[i]} }
func (h shelf) hidden(i int) place { return place{h.own, fmt.Sprintf("%s%d", h.mark, i)} }
func (h shelf) placed(i int) place { return place{h.own, h.Tables[i]} }

// set reports whether a table has triggers.
func (h shelf) set(table string) bool {
	return slices.ContainsFunc(h.Triggers, func(t trigger) bool { return t.Table == table })
}

// tables are those of the three databases.
func (s *session) tables(ctx context.Context) (map[place]bool, error) {
	rows, err := list(ctx, s.conn, fmt.Sprintf("SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN (%s, %s, %s) AND table_type NOT LIKE '%%VIEW'",
		literal(s.own), literal(s.copy), literal(s.aside)))
	there := map[place]bool{}
	for _, row := range rows {
		there[place{row[0], row[1]}] = true
	}
	return there, err
}

// settle has a side be in place and the other one not, from wherever their tables are. A
// table with triggers can't go to another database, and one without them must not be
// written to: each such table is hidden while it has none.
func (s *session) settle(ctx context.Context, st *state, goal string) error {
	if err := s.within(ctx, s.own); err != nil {
		return err
	}
	for _, step := range []func(in, out shelf) error{
		func(in, out shelf) error { // hide what goes
			var moves []move
			for i, table := range out.Tables {
				if p := out.placed(i); (out.set(table) || in.set(table)) && out.there[p] && !out.there[out.apart(i)] && !out.there[out.hidden(i)] && !s.arrived(in, table) {
					moves = append(moves, move{p, out.hidden(i)})
				}
			}
			return s.rename(ctx, moves)
		},
		func(_, out shelf) error { // put it aside
			var moves []move
			for i := range out.Tables {
				if p := out.hidden(i); out.there[p] {
					if err := s.disarm(ctx, p.table); err != nil {
						return err
					}
					moves = append(moves, move{p, out.apart(i)})
				}
			}
			return s.rename(ctx, moves)
		},
		func(in, _ shelf) error { // bring what comes, and hide it
			var moves []move
			for i, table := range in.Tables {
				if p := in.apart(i); in.set(table) && in.there[p] {
					moves = append(moves, move{p, in.hidden(i)})
				}
			}
			return s.rename(ctx, moves)
		},
		func(in, out shelf) error { // all at once
			var moves []move
			for i, table := range out.Tables {
				if p := out.placed(i); out.there[p] && !out.there[out.apart(i)] && !s.arrived(in, table) {
					moves = append(moves, move{p, out.apart(i)})
				}
			}
			for i, table := range in.Tables {
				switch {
				case in.there[in.hidden(i)]:
					if err := s.arm(ctx, in.Triggers, table, in.hidden(i).table); err != nil {
						return err
					}
					moves = append(moves, move{in.hidden(i), in.placed(i)})
				case in.there[in.apart(i)]:
					moves = append(moves, move{in.apart(i), in.placed(i)})
				}
			}
			return s.rename(ctx, moves)
		},
	} {
		there, err := s.tables(ctx)
		if err != nil {
			return err
		}
		if err := step(s.shelf(st, goal, there), s.shelf(st, other(goal), there)); err != nil {
			return err
		}
	}
	return s.furnish(ctx, st.side(goal).Objects, st.Rights)
}

// arrived reports whether the table in place is that of the side that comes.
func (s *session) arrived(in shelf, table string) bool {
	i := slices.Index(in.Tables, table)
	return i >= 0 && !in.there[in.apart(i)] && !in.there[in.hidden(i)]
}

// disarm takes a table's triggers away, which are written down.
func (s *session) disarm(ctx context.Context, table string) error {
	names, err := column(ctx, s.conn, "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE() AND event_object_table = "+literal(table))
	for _, name := range names {
		if err == nil {
			err = s.run(ctx, "DROP TRIGGER IF EXISTS "+quoted(s.own)+"."+quoted(name))
		}
	}
	return err
}

// arm gives the table that bears another name for now its triggers.
func (s *session) arm(ctx context.Context, all []trigger, table, now string) error {
	names, err := column(ctx, s.conn, "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE() AND event_object_table = "+literal(now))
	for _, t := range all {
		if err == nil && t.Table == table && !slices.Contains(names, t.Name) {
			err = s.make(ctx, t.statement(now), t.setting)
		}
	}
	return err
}

// rename does all moves by one statement. Those who hold what it waits for are told to go.
func (s *session) rename(ctx context.Context, moves []move) error {
	if len(moves) == 0 {
		return nil
	}
	var parts []string
	for _, m := range moves {
		parts = append(parts, m.from.String()+" TO "+m.to.String())
	}
	for begun := time.Now(); ; {
		err := s.run(ctx, "RENAME TABLE "+strings.Join(parts, ", "))
		if !busy(err) {
			return err
		}
		who, gone := s.end(ctx)
		if gone != nil {
			return errors.Join(err, gone)
		}
		if time.Since(begun) > away {
			return errors.Join(&usersError{strings.Join(who, ", ")}, err)
		}
	}
}

// usersError says who would not go.
type usersError struct{ who string }

func (e *usersError) Error() string { return errOpen.Error() + ": " + e.who }

// end ends the sessions that are in the database.
func (s *session) end(ctx context.Context) (who []string, err error) {
	rows, err := list(ctx, s.conn, "SELECT id, user, host FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND db = "+literal(s.own))
	for _, row := range rows {
		if name := row[1] + "@" + row[2]; !slices.Contains(who, name) {
			who = append(who, name)
		}
		_ = s.run(ctx, "KILL "+row[0]) // it may have ended, or be one that we may not end: then the wait tells
	}
	return who, err
}
