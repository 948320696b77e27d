package respond

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"holdfast/internal/controlapi"
	"holdfast/internal/demo"
	"holdfast/internal/demo/inbox"
	"holdfast/internal/demo/process"
	"holdfast/internal/mariatest"
	"holdfast/internal/pgtest"
	"holdfast/test/harness"
)

var (
	programs = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "respond-bin-") })
	building sync.Once
	program  string
)

func TestMain(m *testing.M) {
	harness.Abreast(3)
	code := mariatest.Main(func() int { return pgtest.Main(m) })
	if dir, err := programs(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// holdfast is the program: that of the environment, or one built once for all tests.
func holdfast(t *testing.T) string {
	t.Helper()
	if named := os.Getenv("RESPOND_PROGRAM"); named != "" {
		return named
	}
	building.Do(func() {
		dir, err := programs()
		if err != nil {
			t.Fatal(err)
		}
		program = harness.Build(t, dir, "holdfast/cmd/holdfast")
	})
	if program == "" {
		t.Fatal("the program was not built")
	}
	return program
}

// everywhere runs a test on each kind of database, at the same time: most of it is
// waiting. Of what the test tries one after the other each is tried on one of them, by
// chance; on both where the node is killed at each stage.
func everywhere(t *testing.T, test func(t *testing.T, dsn string, tried func(n int) bool)) {
	chance := rand.New(rand.NewPCG(seed(t), 5)).IntN(2) // #nosec G404 -- chance, not secrecy
	for i, database := range []string{"sqlite", "postgresql"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			dsn := ""
			if database == "postgresql" {
				dsn = pgtest.Database(t)
			}
			test(t, dsn, func(n int) bool { return *kills >= 100 || (n+chance)%2 == i })
		})
	}
}

// world is one whose control node the test takes the legs away from.
type world struct {
	*demo.World

	t *testing.T
}

// newWorld starts everything, after the files were changed.
func newWorld(t *testing.T, o demo.Options, change func(w *demo.World) error) *world {
	t.Helper()
	o.Program, o.Dir = holdfast(t), t.TempDir()
	w, err := demo.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for what, p := range map[string]*process.Process{"control node": w.Control, "relay": w.Relay, "shop": w.Shop} {
			if t.Failed() && p != nil {
				t.Logf("the %s's log ends:\n%s", what, p.Log())
			}
		}
		if err := w.Close(false); err != nil {
			t.Error(err)
		}
	})
	if change != nil {
		if err := change(w); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("the world began within %.1f s", time.Since(began).Seconds())
	return &world{w, t}
}

// dead reports whether the control node does not run.
func (w *world) dead() bool {
	select {
	case <-w.Control.Done():
		return true
	default:
		return false
	}
}

// again starts the control node that was killed, or kills it first.
func (w *world) again() {
	w.t.Helper()
	if !w.dead() {
		if err := w.Control.Kill(); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.StartControl(); err != nil {
		w.t.Fatal(err)
	}
}

// answering has everybody who is called press the key, for as long as the test goes on.
func (w *world) answering() {
	ctx, stop := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	w.t.Cleanup(func() {
		stop()
		<-done
	})
	go func() {
		defer close(done)
		pressed := map[string]int{}
		for ctx.Err() == nil {
			for _, i := range w.Inbox.Items(0) {
				if i.Kind == inbox.Call && pressed[i.Call] < 8 && w.Press(ctx, i, "1") == nil { // the node may not yet know the call by its number
					pressed[i.Call]++
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(500 * time.Millisecond):
			}
		}
	}()
}

// node is the control node as its own administrator sees it.
func (w *world) node() *controlapi.Client {
	w.t.Helper()
	c, err := w.Administrator()
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// until asks again and again until something is so.
func (w *world) until(within time.Duration, what string, so func(ctx context.Context) (bool, string)) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), within)
	defer cancel()
	last := ""
	for {
		ok, have := so(ctx)
		if ok {
			return
		}
		if ctx.Err() == nil { // else it could not be asked
			last = have
		}
		select {
		case <-ctx.Done():
			w.t.Fatalf("not after %s: %s; %s", within, what, last)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// did fails the test.
func (w *world) did(err error, what string, args ...any) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%s: %v", fmt.Sprintf(what, args...), err)
	}
}
