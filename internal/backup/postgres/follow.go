package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/internal/backup"
	"holdfast/internal/backup/child"
)

// pace is how often what came is looked at. What was committed is handed on within it.
const pace = 200 * time.Millisecond

// patience is how long a server may be away, or a program of it fail, before Follow says
// so.
const patience = 10 * time.Second

var (
	_ backup.Following = (*Driver)(nil)
	_ backup.Locating  = (*Driver)(nil)
	_ backup.Locating  = (*Repository)(nil)
)

type publisher = func(context.Context, backup.Span) error

// Follow implements backup.Following. After a change of the timeline, as after failing
// over to a replica, it needs a full piece: the log of before says nothing of what is
// there now.
func (d *Driver) Follow(ctx context.Context, from backup.Position, publish publisher) error {
	return sourceError(named(d.DSN), d.follow(ctx, from, publish))
}

func (d *Driver) follow(ctx context.Context, from backup.Position, publish publisher) error {
	f, err := openTrail(d.Spool, from, publish)
	if err != nil {
		return d.spoolError(err)
	}
	defer func() { _ = f.close() }() // files that were read
	// What came before a crash, whether or not the server still lives.
	if err := f.advance(ctx); err != nil {
		return d.room(err)
	}
	again := time.NewTicker(pace)
	defer again.Stop()
	well := time.Now()
	for {
		began := time.Now()
		err := d.stream(ctx, f)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(began) > patience {
			well = time.Now() // it went for a while
		}
		var bad *damage
		if errors.Is(err, backup.ErrNeedsFull) || errors.As(err, &bad) || errors.Is(err, errPublish) || time.Since(well) > patience {
			return d.room(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
		}
	}
}

// room says that the spool has none, where that is what is wrong.
func (d *Driver) room(err error) error {
	if errors.Is(err, errPublish) || !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	return d.spoolError(err)
}

var errPublish = errors.New("what came could not be handed on")

// stream has pg_receivewal fetch the log, and hands on what it fetched, until it ends.
func (d *Driver) stream(ctx context.Context, f *trail) (err error) {
	s, err := d.prepare(ctx, f)
	if err != nil {
		return err
	}
	path, err := program(s.major, "pg_receivewal")
	if err != nil {
		return err
	}
	env, err := environment(d.DSN)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := command(ctx, path, "--directory="+f.dir, "--slot="+d.Slot, "--no-loop", "--no-password", "--status-interval=1")
	cmd.Env = env
	receiver, err := child.Start(cmd)
	if err != nil {
		return err
	}
	defer func() {
		cancel()
		<-receiver.Done()
	}()
	again := time.NewTicker(pace)
	defer again.Stop()
	for {
		ended := false
		select {
		case <-receiver.Done():
			ended = true
		case <-again.C:
		}
		if err := f.advance(ctx); err != nil {
			return err
		}
		if ended {
			err := receiver.Wait()
			if strings.Contains(receiver.Said(), "has already been removed") {
				return fmt.Errorf("%w: the server no longer has the log from %s on", backup.ErrNeedsFull, f.done)
			}
			if err == nil {
				err = errors.New("pg_receivewal ended by itself: " + receiver.Reason().Error())
			}
			return err
		}
	}
}

// prepare makes sure that the server still has what comes next, and keeps it.
func (d *Driver) prepare(ctx context.Context, f *trail) (s source, err error) {
	conn, err := connect(ctx, d.DSN)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, closing(ctx, conn)) }()
	if s, err = look(ctx, conn); err != nil {
		return s, err
	}
	if f.fresh() {
		err = d.drop(ctx, conn)
	} else if s.major >= 13 {
		err = d.lost(ctx, conn)
	}
	if err != nil {
		return s, err
	}
	if !f.fresh() {
		switch {
		case f.System != s.System:
			return s, fmt.Errorf("%w: the server is another system (%s) than what was followed (%s)", backup.ErrNeedsFull, s.System, f.System)
		case f.Timeline != s.Timeline:
			return s, fmt.Errorf("%w: the server went from timeline %d to %d: it failed over, or was restored", backup.ErrNeedsFull, f.Timeline, s.Timeline)
		}
	}
	at, err := now(ctx, conn)
	if err == nil && at.at < f.done {
		err = fmt.Errorf("%w: the server is at %s, and had been at %s: it was set back", backup.ErrNeedsFull, at.at, f.done)
	}
	if err != nil {
		return s, err
	}
	keeps, made, err := d.slot(ctx, conn)
	if err != nil {
		return s, err
	}
	if f.fresh() {
		if err := f.begin(s.line, s.line.start(keeps)); err != nil {
			return s, err
		}
	}
	f.line, f.versions = s.line, map[string]string{"postgresql": s.version}
	next, err := f.ready()
	if err != nil {
		return s, err
	}
	if s.line.start(keeps) > next {
		if made { // or it would hold the log back for nobody
			err = d.drop(ctx, conn)
		}
		return s, errors.Join(fmt.Errorf("%w: the server keeps the log from %s on only, and %s comes next", backup.ErrNeedsFull, keeps, next), err)
	}
	return s, nil
}

// lost says that the server gave up to keep the log for us.
func (d *Driver) lost(ctx context.Context, conn *pgx.Conn) error {
	var lost bool
	err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1 AND (wal_status = 'lost' OR restart_lsn IS NULL))`,
		d.Slot).Scan(&lost)
	if err != nil || !lost {
		return err
	}
	if err := d.drop(ctx, conn); err != nil {
		return err
	}
	return fmt.Errorf("%w: replication slot %s was lost, as more log came than max_slot_wal_keep_size lets it keep", backup.ErrNeedsFull, d.Slot)
}

// drop ends the slot; one in use is somebody's.
func (d *Driver) drop(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1`, d.Slot)
	return err
}

// slot makes the slot where there is none, and says from where on it keeps the log.
func (d *Driver) slot(ctx context.Context, conn *pgx.Conn) (keeps LSN, made bool, err error) {
	var at string
	const known = `SELECT restart_lsn::text FROM pg_replication_slots WHERE slot_name = $1 AND restart_lsn IS NOT NULL`
	err = conn.QueryRow(ctx, known, d.Slot).Scan(&at)
	if errors.Is(err, pgx.ErrNoRows) {
		if _, err := conn.Exec(ctx, `SELECT pg_create_physical_replication_slot($1, true)`, d.Slot); err != nil {
			return 0, false, err
		}
		made = true
		err = conn.QueryRow(ctx, known, d.Slot).Scan(&at)
	}
	if err != nil {
		return 0, made, err
	}
	keeps, err = parseLSN(at)
	return keeps, made, err
}
