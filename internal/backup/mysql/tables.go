package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	client "github.com/go-sql-driver/mysql"

	"holdfast/internal/backup"
	"holdfast/internal/backup/tally"
)

// prepareTables copies the rows of single tables beside them, and returns the tables in
// the order in which they refer to each other.
func (s *session) prepareTables(ctx context.Context, was *sql.Conn, from *client.Config, tables []string, report backup.Report) ([]string, error) {
	for _, table := range tables {
		if err := s.alike(ctx, was, table); err != nil {
			return nil, err
		}
	}
	if err := s.within(ctx, s.copy); err != nil {
		return nil, err
	}
	for _, table := range tables { // without foreign keys: they hold rows for a while
		if err := s.run(ctx, "CREATE TABLE "+quoted(s.copy)+"."+quoted(table)+" LIKE "+quoted(s.own)+"."+quoted(table),
			"CREATE TABLE "+quoted(s.aside)+"."+quoted(table)+" LIKE "+quoted(s.own)+"."+quoted(table)); err != nil {
			return nil, err
		}
	}
	if err := s.copyIn(ctx, from, tables, report, "--no-create-info", "--complete-insert"); err != nil {
		return nil, err
	}
	for _, table := range tables {
		then, err := tally.Rows(ctx, was, "SELECT * FROM "+quoted(table))
		if err != nil {
			return nil, err
		}
		now, err := tally.Rows(ctx, s.conn, "SELECT * FROM "+quoted(s.copy)+"."+quoted(table))
		if err != nil {
			return nil, err
		}
		if then.Count() != now.Count() || then.Hash() != now.Hash() {
			return nil, fmt.Errorf("the copy of %s is not what was restored", table)
		}
	}
	return inOrder(ctx, was, tables)
}

// alike refuses a table that can't be put back row by row, or whose rows may not mean
// the same any more.
func (s *session) alike(ctx context.Context, was *sql.Conn, table string) error {
	kind, err := list(ctx, s.conn, "SELECT table_type, engine FROM information_schema.tables WHERE table_schema = "+literal(s.own)+" AND table_name = "+literal(table))
	if err != nil {
		return err
	}
	if len(kind) == 0 {
		return fmt.Errorf("there is no table %s", table)
	}
	if kind[0][0] != "BASE TABLE" || !strings.EqualFold(kind[0][1], "InnoDB") {
		return &apartError{table}
	}
	columns := "SELECT column_name, column_type, COALESCE(character_set_name, ''), COALESCE(generation_expression, '') FROM information_schema.columns WHERE table_name = " +
		literal(table) + " AND table_schema = %s ORDER BY ordinal_position"
	now, err := list(ctx, s.conn, fmt.Sprintf(columns, literal(s.own)))
	if err != nil {
		return err
	}
	then, err := list(ctx, was, fmt.Sprintf(columns, "DATABASE()"))
	if err != nil {
		return err
	}
	if !slices.EqualFunc(now, then, slices.Equal) {
		return fmt.Errorf("table %s has other columns now than it had then", table)
	}
	return nil
}

// inOrder puts those before others that these refer to.
func inOrder(ctx context.Context, db asked, tables []string) (ordered []string, err error) {
	keys, err := list(ctx, db, "SELECT table_name, referenced_table_name FROM information_schema.referential_constraints WHERE constraint_schema = DATABASE() AND unique_constraint_schema = DATABASE()")
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var visit func(table string)
	visit = func(table string) {
		if seen[table] {
			return
		}
		seen[table] = true
		for _, k := range keys {
			if k[0] == table && slices.Contains(tables, k[1]) {
				visit(k[1])
			}
		}
		ordered = append(ordered, table)
	}
	for _, table := range tables {
		visit(table)
	}
	return ordered, nil
}

// turnTables exchanges the rows of single tables for those beside them, in one
// transaction. Triggers are not set off: tables that have some are hidden as long as
// they lack them. Whatever refers to the tables stays, and has to find what it refers to.
func (s *session) turnTables(ctx context.Context, st *state, goal string) error {
	if err := s.within(ctx, s.own); err != nil {
		return err
	}
	if st.Now != "" {
		all, err := triggers(ctx, s.conn)
		if err != nil {
			return err
		}
		st.Original = side{Tables: st.Parts, Triggers: slices.DeleteFunc(all, func(t trigger) bool { return !slices.Contains(st.Parts, t.Table) })}
	}
	st.Now, st.Goal = "", goal
	if err := s.save(ctx, st); err != nil {
		return err
	}
	var err error
	if st.Rows != goal {
		if err = s.hide(ctx, st); err == nil {
			err = s.exchange(ctx, st, goal)
		}
	}
	ctx = context.WithoutCancel(ctx) // whatever it was, the tables come back
	if back := s.unhide(ctx, st); back != nil {
		return errors.Join(err, back)
	}
	st.Now, st.Goal = st.Rows, ""
	return errors.Join(err, s.save(ctx, st))
}

func (s *session) hide(ctx context.Context, st *state) error {
	there, err := s.tables(ctx)
	if err != nil {
		return err
	}
	h := s.shelf(st, original, there)
	var moves []move
	for i, table := range h.Tables {
		if h.set(table) && !there[h.hidden(i)] {
			moves = append(moves, move{h.placed(i), h.hidden(i)})
		}
	}
	if err := s.rename(ctx, moves); err != nil {
		return err
	}
	for i, table := range h.Tables {
		if h.set(table) {
			if err := s.disarm(ctx, h.hidden(i).table); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *session) unhide(ctx context.Context, st *state) error {
	there, err := s.tables(ctx)
	if err != nil {
		return err
	}
	h := s.shelf(st, original, there)
	var moves []move
	for i, table := range h.Tables {
		if p := h.hidden(i); there[p] {
			if err := s.arm(ctx, h.Triggers, table, p.table); err != nil {
				return err
			}
			moves = append(moves, move{p, h.placed(i)})
		}
	}
	return s.rename(ctx, moves)
}

// exchange does so within a transaction.
func (s *session) exchange(ctx context.Context, st *state, goal string) error {
	there, err := s.tables(ctx)
	if err != nil {
		return err
	}
	h := s.shelf(st, original, there)
	now := func(i int) place {
		if p := h.hidden(i); there[p] {
			return p
		}
		return h.placed(i)
	}
	var touched []string
	for i := range h.Tables {
		touched = append(touched, now(i).table)
	}
	before, err := s.strays(ctx, touched)
	if err != nil {
		return err
	}
	// A second look at the rows is taken when they are locked.
	if err := s.run(ctx, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION"); err != nil {
		return err
	}
	rows := st.Rows
	err = s.exchangeRows(ctx, h, now, goal)
	if err == nil {
		var after map[string]int
		if after, err = s.strays(ctx, touched); err == nil {
			err = worse(before, after)
		}
	}
	if err == nil {
		st.Rows = goal
		err = s.save(ctx, st)
	}
	if err == nil {
		err = s.run(ctx, "COMMIT")
	}
	if err != nil {
		st.Rows = rows
		return errors.Join(err, s.run(context.WithoutCancel(ctx), "ROLLBACK"))
	}
	return nil
}

func (s *session) exchangeRows(ctx context.Context, h shelf, now func(int) place, goal string) error {
	var columns []string
	for _, table := range h.Tables {
		names, err := column(ctx, s.conn, "SELECT column_name FROM information_schema.columns WHERE COALESCE(generation_expression, '') = '' AND table_schema = "+
			literal(s.copy)+" AND table_name = "+literal(table)+" ORDER BY ordinal_position")
		if err != nil {
			return err
		}
		for i := range names {
			names[i] = quoted(names[i])
		}
		columns = append(columns, strings.Join(names, ", "))
	}
	fill := func(to, from place, i int) string {
		return fmt.Sprintf("INSERT INTO %s (%s) SELECT %[2]s FROM %s", to, columns[i], from) // #nosec G201 -- names, quoted
	}
	for i, table := range slices.Backward(h.Tables) { // children first
		if goal == restored {
			if err := s.run(ctx, "DELETE FROM "+place{s.aside, table}.String(), fill(place{s.aside, table}, now(i), i)); err != nil {
				return err
			}
		}
		if err := s.run(ctx, "DELETE FROM "+now(i).String()); err != nil {
			return err
		}
	}
	for i, table := range h.Tables {
		source := place{s.copy, table}
		if goal == original {
			source = place{s.aside, table}
		}
		if err := s.run(ctx, fill(now(i), source, i)); err != nil {
			return err
		}
	}
	return nil
}

// strays counts, for each foreign key from or to tables, the rows without what they refer to.
func (s *session) strays(ctx context.Context, tables []string) (map[string]int, error) {
	var names []string
	for _, table := range tables {
		names = append(names, literal(table))
	}
	of := strings.Join(names, ", ")
	figures, err := orphans(ctx, s.conn, "(table_schema = DATABASE() AND table_name IN ("+of+") OR referenced_table_schema = DATABASE() AND referenced_table_name IN ("+of+"))")
	found := map[string]int{}
	for _, f := range figures {
		n, failed := strconv.Atoi(f.Value)
		found[f.Of], err = n, errors.Join(err, failed)
	}
	return found, err
}

func worse(before, after map[string]int) error {
	var broken []string
	for key, rows := range after {
		if rows > before[key] {
			broken = append(broken, fmt.Sprintf("%s: %d", key, rows-before[key]))
		}
	}
	if len(broken) == 0 {
		return nil
	}
	slices.Sort(broken)
	return &apartError{strings.Join(broken, ", ")}
}
