package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"holdfast/internal/endpoint"
	"holdfast/internal/loopback"
	"holdfast/internal/pgtest"
)

// TestControlScripts drives the real program against real control nodes, each a
// process. Commands find the node in the folder control. Beside testscript's own
// commands and those of TestScripts:
//
//	node start [NAME]   a control node on the data folder NAME (control), by
//	                    control.yaml where the script has one; ready when it returns.
//	                    Sets $CONTROL to its address.
//	node stop [NAME]    ends it as a service manager would
//	node kill [NAME]    kill -9
//	green N             until so many sets of data are proven
//	staff ID...         people in the database of the node on the folder control
//	postgres VARIABLE   makes an empty database of a private PostgreSQL and puts its
//	                    address into the variable
//	zh COMMAND...       holdfast in Chinese: its English words are collected, and fail zh
//	edit FILE FROM TO   puts one text in the place of another
//
// $EXAMPLES is the folder of the examples; $RELAY_ADMIN an address for the admin API of
// a relay on the folder data. To wait for a change of state:
// holdfast event follow --after 0 --kind K -n 1
func TestControlScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/control",
		Setup: func(e *testscript.Env) error {
			u := &upstream{asked: make(chan struct{}, 1), status: 201}
			if err := u.up(); err != nil {
				return err
			}
			e.Defer(u.down)
			e.Values["upstream"] = u
			e.Setenv("UPSTREAM", u.address)
			admin, err := loopback.Address()
			if err != nil {
				return err
			}
			e.Setenv("RELAY_ADMIN", admin)
			nodes := &nodes{all: map[string]*process{}}
			e.Values["nodes"] = nodes
			e.Values["foreign"] = foreign{}
			e.Defer(nodes.killAll)
			e.Setenv("HOLDFAST_PERSON", "li.wei")
			e.Setenv("HOLDFAST_CONTROL_DATA", filepath.Join(e.WorkDir, "control"))
			e.Setenv("LANG", "C")
			examples, err := filepath.Abs("../../examples")
			e.Setenv("EXAMPLES", examples)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"node": cmdNode, "green": cmdGreen, "restored": cmdRestored, "named": cmdNamed, "staff": cmdStaff, "zh": cmdZh, "edit": cmdEdit, "postgres": func(ts *testscript.TestScript, _ bool, args []string) { ts.Setenv(args[0], pgtest.Database(t)) },
			"upstream": cmdUpstream, "ready": cmdReady, "post": cmdPost, "exits": cmdExits, "sqlite": cmdSQLite, "flip": cmdFlip, "envsubst": cmdEnvsubst,
		},
	})
}

// nodes are the control nodes of one script.
type nodes struct {
	mu  sync.Mutex
	all map[string]*process
}

// process is a node; ended is closed when it has ended.
type process struct {
	cmd   *exec.Cmd
	log   lockedBuffer
	ended chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var _ io.Writer = (*lockedBuffer)(nil)

func (n *nodes) killAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.all {
		_ = p.cmd.Process.Kill() // fails only where it has ended
		<-p.ended
	}
}

// cmdNamed keeps the first word of what a command printed last in a variable.
func cmdNamed(ts *testscript.TestScript, neg bool, args []string) {
	words := strings.Fields(ts.ReadFile("stdout"))
	if neg || len(args) != 1 || len(words) == 0 {
		ts.Fatalf("usage: named VARIABLE, after a command that printed something")
	}
	ts.Setenv(args[0], strings.Trim(words[0], ":"))
}

func cmdNode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: node start|stop|kill [NAME]")
	}
	name := "control"
	if len(args) > 1 {
		name = args[1]
	}
	n := ts.Value("nodes").(*nodes)
	n.mu.Lock()
	defer n.mu.Unlock()
	switch args[0] {
	case "start":
		n.all[name] = startControl(ts, name)
	case "stop", "kill":
		p := n.all[name]
		if p == nil {
			ts.Fatalf("no node %s", name)
		}
		signal := os.Signal(syscall.SIGTERM)
		if args[0] == "kill" {
			signal = os.Kill
		}
		ts.Check(p.cmd.Process.Signal(signal))
		select {
		case <-p.ended:
		case <-time.After(patience):
			ts.Fatalf("the node does not end:\n%s", p.log.String())
		}
		delete(n.all, name)
	default:
		ts.Fatalf("node %s?", args[0])
	}
}

func cmdGreen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: green N")
	}
	listed(ts, args[0], "green", "backup", "set", "list")
}

// cmdRestored waits until so many restores are ready.
func cmdRestored(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: restored N")
	}
	listed(ts, args[0], "ready", "restore", "list")
}

// listed waits until a command lists so many in a state.
func listed(ts *testscript.TestScript, n, state string, command ...string) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(6 * patience); ; <-tick.C {
		ts.Check(ts.Exec("holdfast", command...))
		list := ts.ReadFile("stdout")
		if strconv.Itoa(strings.Count(list, "\t"+state+"\t")) == n {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("not %s are %s:\n%s", n, state, list)
		}
	}
}

func startControl(ts *testscript.TestScript, name string) *process {
	data := ts.MkAbs(name)
	_ = os.Remove(filepath.Join(data, endpoint.Control)) // what a killed one left
	program, err := exec.LookPath("holdfast")
	ts.Check(err)
	p := &process{cmd: exec.Command(program, "control", "--listen", "127.0.0.1:0", "--data", data), ended: make(chan struct{})} // #nosec G204 -- this program
	p.cmd.Dir = ts.MkAbs(".")
	p.cmd.Env = append(os.Environ(), "HOLDFAST_CONTROL_DATA=", "LANG=C")
	for _, name := range strings.Fields(ts.Getenv("NODE_ENV")) { // variables of the script that nodes see
		p.cmd.Env = append(p.cmd.Env, name+"="+ts.Getenv(name))
	}
	p.cmd.Stderr = &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	ts.Check(p.cmd.Start())
	go func() {
		_ = p.cmd.Wait() // how it ended stands in its log
		close(p.ended)
	}()
	poll(ts, "the control node", func() bool {
		select {
		case <-p.ended:
			ts.Fatalf("the node ended:\n%s", p.log.String())
		default:
		}
		at, err := endpoint.Read(data, endpoint.Control)
		if err == nil {
			ts.Setenv("CONTROL", at.Address)
		}
		return err == nil && strings.Contains(p.log.String(), "control node ready")
	})
	return p
}
