package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"holdfast/internal/backup"
	"holdfast/internal/backup/child"
	"holdfast/internal/continuity"
)

// RepositoryName is the name of the driver that drives pgBackRest.
const RepositoryName = "pgbackrest"

// RepositoryOptions say what the driver of pgBackRest is to know. To restore, the
// pieces name the stanza.
type RepositoryOptions struct {
	DSN    string // as Options.DSN; who it names may also switch the log to its next segment
	Stanza string
	Config string // pgBackRest's configuration; empty: where it looks by itself
	Log    *slog.Logger
}

// Repository is backup.Driver and Following for servers that pgBackRest backs up: data
// and log lie in its repository, by its settings and with its retention, and pieces
// say what lies there. What they add is the proof.
type Repository struct{ o RepositoryOptions }

// NewRepository makes a driver; nothing is opened.
func NewRepository(o RepositoryOptions) *Repository { return &Repository{o} }

var (
	_ backup.Driver    = (*Repository)(nil)
	_ backup.Following = (*Repository)(nil)
)

// label is the stream of a full piece of pgBackRest's.
type label struct {
	Format   int    `json:"format"`
	Stanza   string `json:"stanza"`
	Label    string `json:"label"`
	Database string `json:"database"`
	User     string `json:"user"`
	First    string `json:"first"` // the superuser
	line
}

var labelForm = regexp.MustCompile(`new backup label = ([0-9A-Z_-]+)`)

// Full implements backup.Driver.
func (d *Repository) Full(ctx context.Context, w io.Writer, queries []backup.Query, report backup.Report) (backup.Captured, error) {
	c, err := d.capture(ctx, w, queries, report)
	return c, sourceError(d.o.Stanza, err)
}

func (d *Repository) capture(ctx context.Context, w io.Writer, queries []backup.Query, report backup.Report) (c backup.Captured, err error) {
	other, err := connect(ctx, d.o.DSN)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, closing(ctx, other)) }()
	s, err := look(ctx, other)
	if err != nil {
		return c, err
	}
	version, err := d.run(ctx, "version")
	if err != nil {
		return c, err
	}
	tell(report, "capture", 0, 0)
	out, err := d.run(ctx, "--log-level-console=info", "--start-fast", "--type=full", "backup")
	if err != nil {
		return c, err
	}
	found := labelForm.FindStringSubmatch(out)
	if found == nil {
		return c, errors.New("pgbackrest does not say what it called the backup")
	}
	at, err := d.figures(ctx, other, s, queries, report)
	if err != nil {
		return c, err
	}
	if err := d.archived(ctx, other, s.line, at.at); err != nil {
		return c, err
	}
	c.Taken, c.From, c.To = at.moment, s.at(at.at), s.at(at.at)
	c.Exact, c.Figures = at.exact(s.line), at.figures
	c.Versions = map[string]string{"postgresql": s.version, "pgbackrest": strings.TrimPrefix(strings.TrimSpace(version), "pgBackRest ")}
	return c, json.NewEncoder(w).Encode(label{Format: 1, Stanza: d.o.Stanza, Label: found[1],
		Database: s.database, User: s.user, First: s.first, line: s.line})
}

// figures takes the figures. The log in which they have their place is what was archived.
func (d *Repository) figures(ctx context.Context, other *pgx.Conn, s source, queries []backup.Query, report backup.Report) (at still, err error) {
	own, err := findOwner()
	if err != nil {
		return at, err
	}
	dir, err := os.MkdirTemp("", "holdfast-pg-")
	if err != nil {
		return at, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if own.name != "" {
		if err := os.Chown(dir, own.uid, own.gid); err != nil {
			return at, err
		}
	}
	begin, err := now(ctx, other)
	if err != nil {
		return at, err
	}
	next := s.start(begin.at)
	log, err := newEnds(ctx, other, s.line, dir, next, func(ctx context.Context, to LSN) error {
		if err := d.archived(ctx, other, s.line, to); err != nil {
			return err
		}
		for ; next <= to; next += LSN(s.Segment) {
			if _, err := d.run(ctx, "--no-archive-async", "archive-get", s.file(next), filepath.Join(dir, s.file(next))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return at, err
	}
	defer func() { err = errors.Join(err, log.walk.Close()) }()
	return taking{d.o.DSN, d.o.Log}.take(ctx, other, log, queries, report)
}

// archived returns once the log up to a place is in the repository.
func (d *Repository) archived(ctx context.Context, conn *pgx.Conn, l line, at LSN) error {
	// Something behind the place, so that it is known to be reached, and then the rest of
	// the segment is filled up.
	if _, err := conn.Exec(ctx, `SELECT txid_current()`); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, `SELECT pg_switch_wal()`); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 2*time.Minute, errors.New("the log is not archived: see what archive_command does"))
	defer cancel()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		end, err := d.end(ctx, l)
		if err != nil || end > at {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-again.C:
		}
	}
}

// stanza is what pgBackRest tells of one.
type stanza struct {
	Archive []struct {
		ID       string `json:"id"` // VERSION-N
		Max      string `json:"max"`
		Database struct {
			ID int `json:"id"`
		} `json:"database"`
	} `json:"archive"`
	DB []struct {
		ID     int    `json:"id"`
		System uint64 `json:"system-id"`
	} `json:"db"`
	Status struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"status"`
}

// end is where the archived log of a line ends; 0 where there is none.
func (d *Repository) end(ctx context.Context, l line) (LSN, error) {
	out, err := d.run(ctx, "--output=json", "info")
	if err != nil {
		return 0, err
	}
	var all []stanza
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		return 0, fmt.Errorf("what pgbackrest tells can't be read: %w", err)
	}
	var end LSN
	for _, s := range all {
		ours := map[int]bool{}
		for _, db := range s.DB {
			ours[db.ID] = fmt.Sprint(db.System) == l.System
		}
		for _, a := range s.Archive {
			if segment, ok := l.segment(a.Max); ok && ours[a.Database.ID] {
				end = max(end, segment+LSN(l.Segment))
			}
		}
	}
	return end, nil
}

// segment is where a segment of the line begins, by its file's name.
func (l line) segment(name string) (LSN, bool) {
	var timeline uint32
	var high, low uint64
	if n, err := fmt.Sscanf(name, "%8X%8X%8X", &timeline, &high, &low); err != nil || n != 3 || timeline != l.Timeline {
		return 0, false
	}
	return LSN((high*(uint64(1<<32)/l.Segment) + low) * l.Segment), true
}

// Check implements backup.Driver.
func (d *Repository) Check(chain []backup.Manifest) []backup.Fault { return checkLog(chain, false) }

// run runs pgBackRest to its end and returns what it printed. It runs as the server's
// user where we are root: its repository belongs to that one.
func (d *Repository) run(ctx context.Context, args ...string) (string, error) {
	path, err := exec.LookPath("pgbackrest")
	if err != nil {
		return "", errors.New("pgbackrest is not installed: apt-get install pgbackrest, or the like")
	}
	own, err := findOwner()
	if err != nil {
		return "", err
	}
	cmd := command(ctx, path, append(d.common(), args...)...)
	cmd.Dir, cmd.Env = "/", []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	own.as(cmd)
	out := &strings.Builder{}
	cmd.Stdout = out
	if _, err := child.Run(cmd); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("%w %s", err, lastLine(out.String()))
	}
	return out.String(), nil
}

// common are the options of every call.
func (d *Repository) common() []string {
	args := []string{"--stanza=" + d.o.Stanza, "--log-level-file=off"}
	if d.o.Config != "" {
		args = append(args, "--config="+d.o.Config)
	}
	return args
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// mark is where the log of the source was at a moment.
type mark struct {
	at     LSN
	moment time.Time
}

// Follow implements backup.Following: what pgBackRest has archived is told as it comes.
// A segment is archived when it is full, or as archive_timeout says.
func (d *Repository) Follow(ctx context.Context, from backup.Position, publish func(context.Context, backup.Span) error) error {
	return sourceError(d.o.Stanza, d.follow(ctx, from, publish))
}

func (d *Repository) follow(ctx context.Context, from backup.Position, publish func(context.Context, backup.Span) error) (err error) {
	conn, err := connect(ctx, d.o.DSN)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closing(ctx, conn)) }()
	s, err := look(ctx, conn)
	if err != nil {
		return err
	}
	known, err := now(ctx, conn)
	if err != nil {
		return err
	}
	last := known.at
	if from.At != "" {
		if from.System != s.System || from.Timeline != s.Timeline {
			return fmt.Errorf("the log goes on as another one: %w", backup.ErrNeedsFull)
		}
		if last, err = parseLSN(from.At); err != nil {
			return err
		}
	}
	var marks []mark
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		at, err := now(ctx, conn)
		if err != nil {
			return err
		}
		if n := len(marks); n == 0 || at.at > marks[n-1].at {
			marks = append(marks, mark{at.at, at.moment})
		}
		end, err := d.end(ctx, s.line)
		if err != nil {
			return err
		}
		// Told only up to a moment that is known to lie before the end.
		var newest mark
		for len(marks) > 0 && marks[0].at <= behindHead(s.line, end) {
			newest, marks = marks[0], marks[1:]
		}
		if end > last && newest.at != 0 {
			span := backup.Span{From: s.at(last), To: s.at(end), Newest: newest.moment, Versions: map[string]string{"postgresql": s.version},
				Open: told(map[string]string{"stanza": d.o.Stanza, "from": last.String(), "to": end.String()})}
			if err := publish(ctx, span); err != nil {
				return err
			}
			last = end
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
		}
	}
}

func told(v any) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		text, err := json.Marshal(v)
		return io.NopCloser(strings.NewReader(string(text) + "\n")), err
	}
}

// Restore implements backup.Driver.
func (d *Repository) Restore(ctx context.Context, r backup.Restore) (backup.Instance, error) {
	i, err := d.restore(ctx, r)
	if err != nil {
		return nil, restoreError(err)
	}
	return i, nil
}

// logOver is what a server says whose log ends before its goal.
const logOver = "recovery ended before configured recovery target was reached"

// mostLabel bounds what is read of a piece's stream.
const mostLabel = 1 << 20

func readLabel(ctx context.Context, piece backup.Piece) (l label, err error) {
	in, err := piece.Open(ctx)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	text, err := io.ReadAll(io.LimitReader(in, mostLabel))
	if err != nil {
		return l, err
	}
	if err := json.Unmarshal(text, &l); err != nil || l.Format != 1 || l.Stanza == "" || l.Label == "" || l.Segment == 0 {
		return l, pieceError(piece.ID, errors.Join(errors.New("it names no backup of pgBackRest's"), err))
	}
	return l, nil
}

func (d *Repository) restore(ctx context.Context, r backup.Restore) (*instance, error) {
	if len(r.Pieces) == 0 || r.Pieces[0].Type != backup.TypeFull {
		return nil, errors.New("there is no full piece to begin with")
	}
	l, err := readLabel(ctx, r.Pieces[0])
	if err != nil {
		return nil, err
	}
	data, err := newData(r.Dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = data.Close() }() // only paths went through it
	from := &Repository{o: d.o}
	from.o.Stanza = l.Stanza
	where := []string{"--pg1-path=" + data.Name(), "--lock-path=" + r.Dir + "/lock"}
	if err := from.fetch(ctx, l, r, where); err != nil {
		return nil, err
	}
	goal := goal{until: r.Until, fetch: shellWords("pgbackrest", append(append(from.common(), where...), "archive-get")...) + ` %f "%p"`}
	if r.At.At != "" {
		if r.At.System != l.System || r.At.Timeline != l.Timeline {
			return nil, fmt.Errorf("%s is a place of another system or timeline", r.At.At)
		}
		if goal.stop, err = parseLSN(r.At.At); err != nil {
			return nil, err
		}
		goal.until = time.Time{}
	}
	note := note{line: l.line, Database: l.Database, User: l.User, First: l.First}
	s, err := serve(ctx, r.Dir, data, note, goal, r.Report)
	whole := r.At.At == "" && r.Until.IsZero()
	if err != nil && strings.Contains(err.Error(), logOver) {
		whole = r.At.At == ""
		// The archive has nothing behind the goal: all of it is what was wanted.
		s, err = serve(ctx, r.Dir, data, note, goal.all(), r.Report)
	}
	if err != nil {
		return nil, err
	}
	i := &instance{server: s}
	if whole {
		// A log that could not be had looks to the server like one that ends.
		if goal.stop, err = l.lastTold(r); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	if err := i.ask(ctx, goal.stop); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return i, nil
}

// fetch has pgBackRest put a backup into a folder.
func (d *Repository) fetch(ctx context.Context, l label, r backup.Restore, where []string) error {
	done, told := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(told)
		again := time.NewTicker(time.Second)
		defer again.Stop()
		for {
			tell(r.Report, "download", 0, 0)
			select {
			case <-done:
				return
			case <-again.C:
			}
		}
	}()
	_, err := d.run(ctx, append(where, "--set="+l.Label, "--type=none", "--tablespace-map-all="+r.Dir+"/spaces", "restore")...)
	close(done)
	<-told
	return err
}

// ask finds out how far the log was played, which is to be up to a place at least.
func (i *instance) ask(ctx context.Context, at LSN) (err error) {
	conn, err := connect(ctx, i.server.dsn(i.server.note.Database, i.server.note.First))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closing(ctx, conn)) }()
	var reached, system string
	var newest *time.Time
	if err := conn.QueryRow(ctx, `SELECT coalesce(pg_last_wal_replay_lsn()::text, '0/0'), pg_last_xact_replay_timestamp(),
		(SELECT system_identifier::text FROM pg_control_system())`).Scan(&reached, &newest, &system); err != nil {
		return err
	}
	lsn, err := parseLSN(reached)
	switch {
	case err != nil:
		return err
	case system != i.server.note.System:
		return fmt.Errorf("what was restored is of another system, %s", system)
	case behindHead(i.server.note.line, lsn) < at:
		return continuity.E(continuity.CodeBackupPiece, nil, "piece", "", "cause", fmt.Sprintf("the log goes to %s only, not to %s", lsn, at))
	}
	i.reached = i.server.note.at(lsn)
	if newest != nil {
		i.newest = *newest
	}
	return nil
}

var inCommand = strings.NewReplacer("'", `'\''`, "%", "%%")

// lastTold is what has to be reached of the log by what the pieces say: of its last
// segment something, as the last record may go on in the next one.
func (l line) lastTold(r backup.Restore) (end LSN, err error) {
	for _, p := range r.Pieces {
		to, err := parseLSN(p.To.At)
		if err != nil {
			return 0, pieceError(p.ID, err)
		}
		end = max(end, to)
	}
	if l.start(end) == end {
		end += longHeader + 1 - LSN(l.Segment)
	}
	return end, nil
}

// shellWords are words as a shell takes them from a setting of the server's.
func shellWords(program string, args ...string) string {
	words := []string{program}
	for _, a := range args {
		words = append(words, "'"+inCommand.Replace(a)+"'")
	}
	return strings.Join(words, " ")
}
