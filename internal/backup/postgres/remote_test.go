package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/backup"
)

// remote is where pieces of the log are safe: elsewhere.
type remote struct {
	mu      sync.Mutex
	pieces  []backup.Piece
	number  int
	content map[string][]byte
}

func newRemote() *remote {
	return &remote{content: map[string][]byte{}}
}

func (r *remote) publish(_ context.Context, span backup.Span) error {
	in, err := span.Open()
	if err != nil {
		return err
	}
	content, err := io.ReadAll(in)
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.number++
	id := fmt.Sprintf("log%07d", r.number)
	r.pieces = append(r.pieces, stored(backup.Manifest{ID: id, Type: backup.TypeLog, Started: time.Now(), Taken: span.Newest,
		From: span.From, To: span.To, Versions: span.Versions, Content: fmt.Sprint(len(content))}, content))
	r.content[id] = content
	return nil
}

// all is what is there now.
func (r *remote) all() []backup.Piece {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]backup.Piece(nil), r.pieces...)
}

// last is from where to follow.
func (r *remote) last() backup.Position {
	all := r.all()
	if len(all) == 0 {
		return backup.Position{}
	}
	return all[len(all)-1].To
}

// follow follows until the test ends, or stop is called, which returns what came of it.
func (s *source) follow(t *testing.T, r *remote, from backup.Position) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.driver.Follow(ctx, from, r.publish) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { t.Log("following ended:", stop()) })
	return stop
}

// chain is a full piece with the log behind it, as the domain puts it together.
func chain(t *testing.T, full backup.Piece, logs []backup.Piece) []backup.Piece {
	t.Helper()
	by := map[string]backup.Piece{full.ID: full}
	all := []backup.Manifest{full.Manifest}
	for _, p := range logs {
		by[p.ID], all = p, append(all, p.Manifest)
	}
	chains := backup.Assemble(all)
	if len(chains) != 1 || len(chains[0].Faults) > 0 || !chains[0].Whole() {
		t.Fatalf("no whole chain: %+v", chains)
	}
	var pieces []backup.Piece
	for _, m := range chains[0].Pieces() {
		pieces = append(pieces, by[m.ID])
	}
	return pieces
}

func manifests(pieces []backup.Piece) (all []backup.Manifest) {
	for _, p := range pieces {
		all = append(all, p.Manifest)
	}
	return all
}

// covers says that what came is not behind the server.
func (r *remote) covers(t *testing.T, s *source) bool {
	at := ask[string](t, s.dsn, "SELECT pg_current_wal_flush_lsn()::text")
	last := r.last()
	return last.At != "" && last.Compare(backup.Position{At: at}) >= 0
}

// kill ends, as kill -9 does, the children of this process that have a name and work in a
// folder.
func kill(t *testing.T, name, dir string) (killed int) {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		children, err := os.ReadFile("/proc/self/task/" + task.Name() + "/children")
		if err != nil {
			continue // the thread has ended
		}
		for child := range strings.FieldsSeq(string(children)) {
			comm, err := os.ReadFile("/proc/" + child + "/comm")
			if err != nil || strings.TrimSpace(string(comm)) != name {
				continue
			}
			args, err := os.ReadFile("/proc/" + child + "/cmdline")
			if err != nil || !strings.Contains(string(args), dir) {
				continue
			}
			pid, err := strconv.Atoi(child)
			if err == nil {
				err = syscall.Kill(pid, syscall.SIGKILL)
			}
			if err != nil {
				t.Fatal(err)
			}
			killed++
		}
	}
	return killed
}

// compare holds restored orders against the ledger outside: all that was acknowledged
// is there, with its amount, and nothing that nobody sent.
func (w *writer) compare(t *testing.T, dsn string, must func(order) bool, may func(order) bool) {
	t.Helper()
	there := orders(t, dsn)
	lost, doubtful, wrong, early := 0, 0, 0, 0
	for _, o := range w.known() {
		amount, is := there[o.id]
		delete(there, o.id)
		switch {
		case is && amount != o.amount:
			wrong++
		case !is && must(o):
			lost++
		case is && !may(o):
			early++
		case !is:
			doubtful++
		}
	}
	if lost+wrong+early+len(there) > 0 {
		t.Errorf("%d acknowledged orders are lost, %d have another amount, %d are of after the moment, %d are nobody's", lost, wrong, early, len(there))
	}
}

// orders are those of a database, with their amounts.
func orders(t *testing.T, dsn string) map[int64]int {
	t.Helper()
	there := map[int64]int{}
	for _, line := range strings.Fields(ask[string](t, dsn, "SELECT coalesce(string_agg(id || '=' || amount, ' '), '') FROM shop.orders")) {
		var id int64
		var amount int
		if _, err := fmt.Sscanf(line, "%d=%d", &id, &amount); err != nil {
			t.Fatal(err)
		}
		there[id] = amount
	}
	return there
}

func acknowledged(o order) bool { return !o.ok.IsZero() }
func anything(order) bool       { return true }
