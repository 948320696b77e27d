package notify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/notify"
	"holdfast/internal/notify/notifytest"
	"holdfast/internal/notify/webhook"
	"holdfast/internal/secret"
	"holdfast/internal/store"
	"holdfast/internal/store/storetest"
)

// A child is this test program as another process: a node that tells people until
// it is killed.
const (
	childName = "HOLDFAST_TEST_NODE"
	childDSN  = "HOLDFAST_TEST_DSN"
	childURL  = "HOLDFAST_TEST_URL"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(childName); name != "" {
		if err := work(name, os.Getenv(childDSN), os.Getenv(childURL)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// rooms sends everything to two rooms, one of which knows keys.
type rooms map[string]notify.Opened

func (r rooms) Sender(id string) (notify.Opened, bool) { o, ok := r[id]; return o, ok }

func (rooms) Words(string, string) (words notify.Words, ok bool) { return words, false }

func (rooms) Resolve(_ context.Context, a notify.Ask) ([]notify.Target, error) {
	return []notify.Target{{ID: "staff/" + a.To.ID, Languages: []string{"en"}, Ways: []notify.Way{{Channel: a.To.ID, Sender: a.To.ID}}}}, nil
}

func work(name, dsn, url string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, dsn)
	if err != nil {
		return err
	}
	all := rooms{}
	for _, id := range []string{"keyed", "plain"} {
		kind := webhook.Kind
		kind.Keys = id == "keyed"
		channel, err := kind.Open(&webhook.Settings{URL: url + "/" + id, Secret: secret.Ref{Name: "X"}}, notifytest.Tools(new(testing.T), nil))
		if err != nil {
			return err
		}
		all[id] = notify.Opened{ID: id, Kind: kind, Channel: channel, PerMinute: 100_000}
	}
	for {
		lease, ok, err := s.Lead(ctx, "control", name, 100*time.Millisecond)
		if err != nil {
			return err
		}
		if ok {
			notify.New(notify.Options{
				Store: s, Node: name, Router: all, Channels: all, Every: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
				Lease: func() (continuity.Lease, bool) { return lease, true },
			}).Run(ctx)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// receiver counts what arrives, and has its sender killed when it is told to.
type receivers struct {
	mu     sync.Mutex
	got    map[string][]bool // by room and key: marked as a repeat
	count  int
	killAt int
	kill   func()
	before bool // the sender dies before it has its answer
	killed chan struct{}
}

func (r *receivers) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var p struct {
		Data struct {
			ID   string `json:"id"`
			Text string `json:"text"`
		} `json:"data"`
	}
	if err == nil {
		err = json.Unmarshal(body, &p)
	}
	if err != nil {
		return // it was killed while it wrote: nothing arrived
	}
	r.mu.Lock()
	key := req.URL.Path + " " + p.Data.ID
	r.got[key] = append(r.got[key], strings.HasPrefix(p.Data.Text, "(repeat) "))
	r.count++
	die := r.count == r.killAt
	if die && r.before {
		r.kill()
	}
	r.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
	if die {
		if !r.before {
			_ = http.NewResponseController(w).Flush() // the answer is on its way
			r.kill()
		}
		close(r.killed)
	}
}

// TestNoneLostOverKilledNodes kills nodes while they send, before and after they
// are answered: each message arrives, a second time at most once for each kill, and
// marked then, except where the provider knows the key.
func TestNoneLostOverKilledNodes(t *testing.T) {
	const rounds, each = 6, 8
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	t.Log("seed", seed)
	dsn := filepath.Join(t.TempDir(), "state.db")
	s := storetest.Open(t, dsn)
	r := &receivers{got: map[string][]bool{}}
	server := httptest.NewServer(r)
	defer server.Close()
	asked := 0
	for round := range rounds {
		b := continuity.Batch{Actor: continuity.Actor{Kind: "engine", ID: "test"}}
		for i := range each {
			b.Changes = append(b.Changes, continuity.Tell(note(fmt.Sprintf("k%d-%d", round, i), "notice", "audience:plain", "audience:keyed")))
			asked++
		}
		r.mu.Lock()
		r.killAt, r.before, r.killed = r.count+1+random.IntN(each), random.IntN(2) == 0, make(chan struct{})
		killed := r.killed
		if _, err := s.Commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		r.kill = startNode(t, fmt.Sprint("n", round), dsn, server.URL)
		r.mu.Unlock()
		<-killed
	}
	r.mu.Lock()
	r.killAt = 0
	r.mu.Unlock()
	startNode(t, "last", dsn, server.URL)
	acts := notify.NewActs(s, nil, time.Now)
	for {
		standing, err := acts.Standing(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		if standing.Asked == asked && standing.States[continuity.NotifyDelivered] == asked {
			break
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatalf("%+v", standing)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	repeats := 0
	if len(r.got) != 2*asked {
		t.Errorf("%d of %d messages arrived", len(r.got), 2*asked)
	}
	for key, marks := range r.got {
		repeats += len(marks) - 1
		if len(marks) > 1+rounds {
			t.Errorf("%s came %d times", key, len(marks))
		}
		for i, marked := range marks {
			if keyed := strings.HasPrefix(key, "/keyed"); marked && keyed || !marked && !keyed && i > 0 {
				t.Errorf("%s: message %d of %d is marked %v", key, i+1, len(marks), marked)
			}
		}
	}
	if most := rounds * 2 * 4; repeats > most {
		t.Errorf("%d repeats, at most %d were under way", repeats, most)
	}
	t.Logf("%d messages, %d came twice after %d kills", len(r.got), repeats, rounds)
}

// startNode starts a child and returns what kills it.
func startNode(t *testing.T, name, dsn, url string) (kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0]) // #nosec G204 -- this program
	cmd.Env = append(os.Environ(), childName+"="+name, childDSN+"="+dsn, childURL+"="+url)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // fails only where it has ended
		_ = cmd.Wait()         // killed
	})
	t.Cleanup(kill)
	return kill
}
