package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite"

	"holdfast/internal/api"
	"holdfast/internal/catalogue"
	"holdfast/internal/command"
	"holdfast/internal/endpoint"
	"holdfast/internal/loopback"
	"holdfast/internal/pgtest"
	"holdfast/internal/target/targettest"
)

func TestMain(m *testing.M) {
	command.Main()
	testscript.Main(tests{m}, map[string]func(){"holdfast": main})
}

// tests end the PostgreSQL that they shared.
type tests struct{ m *testing.M }

func (t tests) Run() int { return pgtest.Main(t.m) }

// TestScripts drives the real program. Beside testscript's own commands:
//
//	envsubst FILE               puts $UPSTREAM into a file
//	upstream up|down            the system behind; $UPSTREAM is its address
//	upstream status CODE        how it answers from now on
//	upstream wait N             until it was asked N times in all
//	upstream log FILE           the bodies it was sent, one a line
//	ready                       until the relay in the current folder serves requests
//	post PATH BODY STATUS       a client's request; sets $RECEIPT to a receipt's
//	until STATE RECEIPT         until the record is in the state
//	viewed                      until the relay's lists know what happened by now
//	day RECEIPT                 sets $DAY to the day, in UTC, on which the record ended
//	paused ROUTE REASON         until the route's replay pauses by itself
//	exits N COMMAND...          runs a command that must end with that status
//	sqlite FILE SQL             makes a database
//	field FILE NAME VARIABLE    sets a variable to the first text of that name in a JSON file
//	orders FILE                 makes a PostgreSQL database with orders, and a file with its address;
//	                            $SCRATCH is a folder that its server's user reaches
//	bucket NAME                 a real S3 server with that bucket; $S3 is its address, and
//	                            s3.credentials a file with what opens it
//	far-bucket NAME             another one, whose writer may not delete; $FAR is its address,
//	                            far-writer.credentials and far-remover.credentials open it, and
//	                            far.callers has who asked it
//	flip FILE                   changes a byte in the middle of what is not zero
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			u := &upstream{asked: make(chan struct{}, 1), status: http.StatusCreated}
			if err := u.up(); err != nil {
				return err
			}
			e.Defer(u.down)
			e.Values["upstream"] = u
			e.Setenv("UPSTREAM", u.address)
			e.Setenv("HOLDFAST_PERSON", "li.wei")
			e.Setenv("LANG", "C")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"upstream": cmdUpstream, "ready": cmdReady, "post": cmdPost, "until": cmdUntil, "viewed": cmdViewed, "day": cmdDay, "paused": cmdPaused, "exits": cmdExits, "sqlite": cmdSQLite, "flip": cmdFlip, "field": cmdField, "orders": func(ts *testscript.TestScript, _ bool, args []string) { cmdOrders(t, ts, args) }, "envsubst": cmdEnvsubst,
			"bucket":     func(ts *testscript.TestScript, _ bool, args []string) { cmdBucket(t, ts, args) },
			"far-bucket": func(ts *testscript.TestScript, _ bool, args []string) { cmdFarBucket(t, ts, args) },
		},
	})
}

const patience = 20 * time.Second

// upstream is the system behind, which can go away and come back at the same
// address.
type upstream struct {
	mu      sync.Mutex
	address string
	srv     *http.Server
	status  int
	bodies  []string
	asked   chan struct{}
}

func (u *upstream) up() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.address == "" {
		address, err := loopback.Address()
		if err != nil {
			return err
		}
		u.address = address
	}
	l, err := net.Listen("tcp", u.address)
	if err != nil {
		return err
	}
	u.srv = &http.Server{Handler: u, ReadHeaderTimeout: patience}
	go func(srv *http.Server) { _ = srv.Serve(l) }(u.srv)
	return nil
}

func (u *upstream) down() {
	u.mu.Lock()
	defer u.mu.Unlock()
	_ = u.srv.Close()
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet { // a check of health
		return
	}
	body, _ := io.ReadAll(r.Body)
	u.mu.Lock()
	u.bodies = append(u.bodies, string(body))
	status := u.status
	u.mu.Unlock()
	select {
	case u.asked <- struct{}{}:
	default:
	}
	w.WriteHeader(status)
	fmt.Fprint(w, "done")
}

func (u *upstream) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.bodies)
}

func cmdUpstream(ts *testscript.TestScript, neg bool, args []string) {
	u := ts.Value("upstream").(*upstream)
	switch {
	case neg || len(args) == 0:
		ts.Fatalf("usage: upstream up|down|status|wait|log")
	case args[0] == "up":
		ts.Check(u.up())
	case args[0] == "down":
		u.down()
	case args[0] == "status":
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		u.mu.Lock()
		u.status = n
		u.mu.Unlock()
	case args[0] == "wait":
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		for u.count() < n {
			select {
			case <-u.asked:
			case <-time.After(patience):
				ts.Fatalf("the upstream was asked %d times", u.count())
			}
		}
	case args[0] == "log":
		u.mu.Lock()
		defer u.mu.Unlock()
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(u.bodies, "\n")+"\n"), 0o600))
	}
}

// client asks the relay whose data is in the script's current folder.
func client(ts *testscript.TestScript) (*api.Client, error) {
	data := ts.MkAbs("data")
	at, err := endpoint.Read(data, endpoint.Relay)
	if err != nil {
		return nil, err
	}
	token, err := endpoint.ReadToken(at.TokenFile)
	if err != nil {
		return nil, err
	}
	return api.NewClient(at.Address, token, "script", catalogue.En), nil
}

// poll asks until it is answered; a relay in another process has no other way
// to tell.
func poll(ts *testscript.TestScript, what string, done func() bool) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !done() {
		select {
		case <-tick.C:
		case <-late:
			ts.Fatalf("waited in vain for %s", what)
		}
	}
}

func cmdReady(ts *testscript.TestScript, _ bool, _ []string) {
	poll(ts, "the relay", func() bool {
		c, err := client(ts)
		if err != nil {
			return false
		}
		s, err := c.Status(context.Background())
		if err == nil {
			ts.Setenv("RELAY", s.Listen[0])
		}
		return err == nil
	})
}

func cmdPost(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: post PATH BODY STATUS")
	}
	resp, err := http.Post("http://"+ts.Getenv("RELAY")+args[0], "application/json", strings.NewReader(args[1]))
	ts.Check(err)
	defer resp.Body.Close()
	if got := strconv.Itoa(resp.StatusCode); got != args[2] {
		body, _ := io.ReadAll(resp.Body)
		ts.Fatalf("status %s, not %s: %s", got, args[2], body)
	}
	if location := resp.Header.Get("Location"); location != "" {
		ts.Setenv("RECEIPT", location[strings.LastIndexByte(location, '/')+1:])
	}
}

func cmdUntil(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: until STATE RECEIPT")
	}
	c, err := client(ts)
	ts.Check(err)
	poll(ts, args[1]+" to be "+args[0], func() bool {
		r, err := c.Record(context.Background(), args[1])
		return err == nil && r.State == args[0]
	})
}

func cmdViewed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: viewed")
	}
	c, err := client(ts)
	ts.Check(err)
	poll(ts, "the view", func() bool {
		s, err := c.Status(context.Background())
		return err == nil && s.View.Open && s.View.Behind == 0
	})
}

func cmdDay(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: day RECEIPT")
	}
	c, err := client(ts)
	ts.Check(err)
	poll(ts, "the end of "+args[0]+" in its history", func() bool {
		r, err := c.Record(context.Background(), args[0])
		if err != nil || len(r.History) == 0 || r.History[len(r.History)-1].State != r.State {
			return false
		}
		ts.Setenv("DAY", r.History[len(r.History)-1].At.UTC().Format(time.DateOnly))
		return true
	})
}

func cmdPaused(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: paused ROUTE REASON")
	}
	c, err := client(ts)
	ts.Check(err)
	poll(ts, args[0]+" to pause", func() bool {
		routes, err := c.Drain(context.Background(), args[0])
		return err == nil && routes[0].Drain.Paused == args[1]
	})
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits N COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	status := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(status) != args[0] {
		ts.Fatalf("exit status %d, not %s", status, args[0])
	}
}

func cmdSQLite(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sqlite FILE SQL")
	}
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	_, err = db.Exec(args[1])
	ts.Check(err)
}

func cmdField(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: field FILE NAME VARIABLE")
	}
	found := regexp.MustCompile(`"` + regexp.QuoteMeta(args[1]) + `": "([^"]*)"`).FindStringSubmatch(ts.ReadFile(args[0]))
	if found == nil {
		ts.Fatalf("no text %s in %s", args[1], args[0])
	}
	ts.Setenv(args[2], found[1])
}

func cmdBucket(t *testing.T, ts *testscript.TestScript, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: bucket NAME")
	}
	folder := ts.MkAbs("buckets")
	ts.Check(os.MkdirAll(filepath.Join(folder, args[0]), 0o700))
	ts.Setenv("S3", targettest.Store(t, folder))
	ts.Check(os.WriteFile(ts.MkAbs("s3.credentials"), []byte(targettest.Access+"\n"+targettest.Secret+"\n"), 0o600))
}

func cmdOrders(t *testing.T, ts *testscript.TestScript, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: orders FILE")
	}
	server := pgtest.NewServer(t)
	pgtest.Exec(t, server.DSN("postgres"), "CREATE DATABASE shop")
	pgtest.Exec(t, server.DSN("shop"), "CREATE TABLE orders (id int PRIMARY KEY, amount int); INSERT INTO orders SELECT g, g FROM generate_series(1, 1000) g")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(server.DSN("shop")), 0o600))
	dir, err := os.MkdirTemp("", "scratch")
	ts.Check(err)
	ts.Check(os.Chmod(dir, 0o711)) // #nosec G302 -- others pass through
	ts.Defer(func() { ts.Check(os.RemoveAll(dir)) })
	ts.Setenv("SCRATCH", dir)
}

func cmdFlip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: flip FILE")
	}
	found, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(found) == 0 {
		ts.Fatalf("no such file: %s", args[0])
	}
	b, err := os.ReadFile(found[0])
	ts.Check(err)
	end := len(strings.TrimRight(string(b), "\x00"))
	b[end/2] ^= 1
	ts.Check(os.WriteFile(found[0], b, 0o600))
}

func cmdEnvsubst(ts *testscript.TestScript, _ bool, args []string) {
	text := strings.ReplaceAll(ts.ReadFile(args[0]), "${UPSTREAM}", ts.Getenv("UPSTREAM"))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}
