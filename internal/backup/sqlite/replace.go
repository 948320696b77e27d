package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"

	"modernc.org/sqlite"

	"holdfast/internal/backup"
	"holdfast/internal/backup/swap"
	"holdfast/internal/continuity"
	"holdfast/internal/durable"
)

func (d *Driver) replacing(err error) error {
	switch {
	case err == nil || continuity.CodeOf(err) != continuity.CodeInternal || errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, swap.ErrNotPrepared):
		return continuity.E(continuity.CodeBackupReplace, err, "source", d.path, "why", "prepared")
	}
	return continuity.E(continuity.CodeBackupReplace, err, "source", d.path, "why", "", "cause", err.Error())
}

func (d *Driver) isOpen(who string) error {
	return continuity.E(continuity.CodeBackupReplace, nil, "source", d.path, "why", "open", "who", who)
}

// tablesName is of the note which tables alone are to be put back.
func (d *Driver) tablesName(id string) string { return swap.Sibling(d.path, id) + ".tables" }

// Prepare copies what was restored beside the database.
func (d *Driver) Prepare(ctx context.Context, from backup.Instance, id string, tables []string, report backup.Report) error {
	if !swap.Valid(id) {
		return d.replacing(swap.ErrNotPrepared)
	}
	if done, err := d.switched(ctx, id); err != nil || done {
		return d.replacing(err) // was prepared, and is in place
	}
	if err := d.remove(id); err != nil { // what a crash left
		return d.replacing(err)
	}
	if len(tables) > 0 {
		b, err := json.Marshal(tables)
		if err != nil {
			return err
		}
		if err := durable.Replace(d.tablesName(id), b); err != nil {
			return d.replacing(err)
		}
	}
	if err := copyFile(ctx, from.Address(), swap.Sibling(d.path, id), report); err != nil {
		return d.replacing(err)
	}
	return d.replacing(swap.Prepared(d.path, id))
}

// tables are those that were prepared alone; none is all.
func (d *Driver) tables(id string) (tables []string, err error) {
	if !swap.Valid(id) {
		return nil, swap.ErrNotPrepared
	}
	b, err := os.ReadFile(d.tablesName(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &tables)
	}
	return tables, err
}

func (d *Driver) switched(ctx context.Context, id string) (bool, error) {
	tables, err := d.tables(id)
	if err != nil {
		return false, err
	}
	if len(tables) > 0 {
		return d.tablesSwitched(ctx, id)
	}
	done, err := swap.Switched(d.path, id)
	if errors.Is(err, swap.ErrNotPrepared) {
		err = nil
	}
	return done, err
}

func copyFile(ctx context.Context, from, to string, report backup.Report) error {
	in, err := os.Open(from) // #nosec G304 -- what this driver restored
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) // #nosec G304 -- beside what the operator names
	if err != nil {
		return err
	}
	var done int64
	for err == nil {
		if err = ctx.Err(); err != nil {
			break
		}
		var n int64
		n, err = io.CopyN(out, in, 1<<22)
		done += n
		if report != nil {
			report(backup.Progress{Phase: "restore", Done: done})
		}
	}
	if errors.Is(err, io.EOF) {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// Switch puts what was prepared in the database's place while nobody has it open; of
// tables alone, their rows, in one transaction.
func (d *Driver) Switch(ctx context.Context, id string) error {
	tables, err := d.tables(id)
	if err != nil {
		return d.replacing(err)
	}
	if len(tables) > 0 {
		return d.replacing(d.switchTables(ctx, id, tables))
	}
	return d.replacing(d.exchange(ctx, id, true))
}

// Undo puts back what Switch put aside.
func (d *Driver) Undo(ctx context.Context, id string) error {
	tables, err := d.tables(id)
	if err != nil {
		return d.replacing(err)
	}
	if len(tables) > 0 {
		return d.replacing(d.undoTables(ctx, id))
	}
	return d.replacing(d.exchange(ctx, id, false))
}

// Drop removes what was prepared or put aside.
func (d *Driver) Drop(ctx context.Context, id string) error {
	tables, err := d.tables(id)
	if err == nil && len(tables) > 0 {
		err = d.dropTables(ctx, id)
	}
	if err == nil {
		err = d.remove(id)
	}
	return d.replacing(err)
}

// remove removes the files beside the database.
func (d *Driver) remove(id string) error {
	if err := swap.Drop(d.path, id); err != nil {
		return err
	}
	return unlink(append(append(sides(swap.Sibling(d.path, id)), kept(d.path, id)...), d.tablesName(id)))
}

// sides are the files that SQLite keeps beside a database.
func sides(path string) []string { return []string{path + "-wal", path + "-shm", path + "-journal"} }

// kept are those of a spoiled one that was put aside, under names that SQLite does not
// take for the other's.
func kept(path, id string) []string { return sides(swap.Sibling(path, id) + ".kept") }

// exchange changes what is at the path while its locks are held.
func (d *Driver) exchange(ctx context.Context, id string, forth bool) error {
	done, err := swap.Switched(d.path, id)
	if err != nil || done == forth {
		return err
	}
	step := swap.Undo
	if forth {
		step = swap.Switch
	}
	here, there := sides(d.path), kept(d.path, id)
	if forth {
		// SQLite may write a log into what can't be read any more, and remove it: what is
		// put aside keeps its own.
		if err := link(here, there); err != nil {
			return err
		}
	}
	spoiled, err := d.locked(ctx, id, step)
	switch {
	case forth && !spoiled:
		return errors.Join(err, unlink(there))
	case err != nil:
		return err
	case forth:
		return unlink(here)
	}
	for i := range here {
		if err := os.Rename(there[i], here[i]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// locked does a step while nobody has the database open. One that is gone or spoiled
// can't be locked, and is of no use to anybody.
func (d *Driver) locked(ctx context.Context, id string, step func(string, string) error) (spoiled bool, err error) {
	if _, err := os.Stat(d.path); errors.Is(err, fs.ErrNotExist) {
		return true, step(d.path, id)
	}
	db, err := open(d.path, changed)
	if err != nil {
		return false, err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	logged, err := d.alone(ctx, conn)
	if unreadable(err) {
		if who := openers(d.path); who != "" {
			return false, d.isOpen(who)
		}
		return true, errors.Join(conn.Close(), db.Close(), step(d.path, id))
	}
	if err != nil {
		return false, err
	}
	if err := step(d.path, id); err != nil {
		return false, err
	}
	if _, err := conn.ExecContext(ctx, "ROLLBACK"); err != nil {
		return false, err
	}
	if err := errors.Join(conn.Close(), db.Close()); err != nil || !logged {
		return false, err
	}
	return false, asLogged(ctx, swap.Sibling(d.path, id))
}

func link(from, to []string) error {
	for i := range from {
		if err := os.Link(from[i], to[i]); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

func unlink(names []string) error {
	var all error
	for _, name := range names {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = errors.Join(all, err)
		}
	}
	return all
}

// alone locks a database for nobody else, its log written back into it; where others
// have it open it stays as it was.
func (d *Driver) alone(ctx context.Context, conn *sql.Conn) (logged bool, err error) {
	var mode, now string
	if err := conn.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return false, err
	}
	if logged = mode == "wal"; logged {
		// This works only for the last one that has it open.
		err := conn.QueryRowContext(ctx, "PRAGMA journal_mode=DELETE").Scan(&now)
		if busy(err) || err == nil && now != "delete" {
			return logged, d.isOpen(openers(d.path))
		}
		if err != nil {
			return logged, err
		}
	}
	_, err = conn.ExecContext(ctx, "BEGIN EXCLUSIVE")
	who := openers(d.path)
	if busy(err) || err == nil && who != "" {
		if err == nil {
			_, err = conn.ExecContext(ctx, "ROLLBACK")
		} else {
			err = nil
		}
		if logged && err == nil {
			err = conn.QueryRowContext(ctx, "PRAGMA journal_mode=WAL").Scan(&now)
		}
		if err == nil {
			err = d.isOpen(who)
		}
	}
	return logged, err
}

// asLogged gives a database back the log that it had.
func asLogged(ctx context.Context, path string) error {
	db, err := open(path, changed)
	if err != nil {
		return err
	}
	var mode string
	err = db.QueryRowContext(ctx, "PRAGMA journal_mode=WAL").Scan(&mode)
	return errors.Join(err, db.Close())
}

func codeOf(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

func busy(err error) bool { c := codeOf(err); return c == 5 || c == 6 }

// unreadable reports whether a file is no database, or a damaged one.
func unreadable(err error) bool { c := codeOf(err); return c == 11 || c == 26 }
