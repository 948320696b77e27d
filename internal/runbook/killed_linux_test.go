package runbook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/command"
	"holdfast/internal/continuity"
	"holdfast/internal/follow"
	"holdfast/internal/runbook"
	"holdfast/internal/store"
)

// A child is this test program as another process: a node that goes through runs until
// it is killed, at a commit of its own choice or by the command that it runs.
const (
	childFolder = "HOLDFAST_TEST_FOLDER"
	childKill   = "HOLDFAST_TEST_KILL" // COMMIT before|after; none: the command kills it
)

func TestMain(m *testing.M) {
	command.Main()
	if folder := os.Getenv(childFolder); folder != "" {
		if err := goThrough(folder, os.Getenv(childKill)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// book is a runbook of three commands and a change.
type book struct{}

func (book) Script(context.Context, string, int64, string) (*runbook.Script, error) {
	return &runbook.Script{Service: "orders", Plan: 1, Runbook: "back", Steps: []runbook.Step{
		{ID: "a", Do: "command", Owner: "li.wei"}, {ID: "b", Do: "command", Owner: "li.wei", After: []string{"a"}},
		{ID: "c", Do: "plain", Owner: "li.wei", After: []string{"b"}},
	}}, nil
}

func (book) Look(context.Context, string, *runbook.Condition) (well bool, why continuity.CheckReason) {
	return true, why
}

// commands write down that they ran; deadly ones kill who runs them, and go on.
func commands(folder string, deadly bool) runbook.Actions {
	script := `echo $0 >>` + filepath.Join(folder, "ran")
	if deadly {
		script += `; kill -9 $(cut -d" " -f4 /proc/$PPID/stat); sleep 1000` // the parent of what watches over it
	}
	return runbook.Actions{
		"command": {
			Lost: func(key string) { command.Sweep(key) },
			Do: func(ctx context.Context, c runbook.Call) runbook.Result {
				s := command.Spec{Argv: []string{"/bin/sh", "-c", script, c.Step.ID}, Time: time.Minute, Output: 1000}
				o, err := s.Run(ctx, s.Argv, c.Key)
				if err != nil || o.Status != 0 {
					return runbook.Fail("runbook.failed.command", nil)
				}
				return runbook.Result{}
			},
		},
		"plain": {Plain: true, Do: func(context.Context, runbook.Call) runbook.Result {
			return runbook.Result{Changes: []continuity.Change{{Kind: "mark", ID: "c", Version: continuity.VersionNew, Body: json.RawMessage("1"), Action: "mark.set"}}}
		}},
	}
}

// deadly is a store at one of whose commits this process dies.
type deadly struct {
	*store.Store

	at   int
	when string
	made int
}

func (d *deadly) Commit(ctx context.Context, b continuity.Batch) ([]continuity.Object, error) {
	d.made++
	die := func(when string) {
		if d.made == d.at && d.when == when {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	die("before")
	objects, err := d.Store.Commit(ctx, b)
	die("after")
	return objects, err
}

// goThrough leads until all runs are over or ask.
func goThrough(folder, kill string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, filepath.Join(folder, "state.db"))
	if err != nil {
		return err
	}
	defer s.Close()
	d := &deadly{Store: s}
	if _, err := fmt.Sscanf(kill, "%d %s", &d.at, &d.when); err != nil && kill != "" {
		return err
	}
	lease, ok, err := s.Lead(ctx, "control", strconv.Itoa(os.Getpid()), 100*time.Millisecond)
	for ; err == nil && !ok; lease, ok, err = s.Lead(ctx, "control", strconv.Itoa(os.Getpid()), 100*time.Millisecond) {
		<-time.After(10 * time.Millisecond) // until the lease of the killed one is over
	}
	if err != nil {
		return err
	}
	wake := make(chan struct{}, 100)
	e := runbook.New(ctx, runbook.Options{Plans: book{}, Eyes: book{}, Actions: commands(folder, kill == "" && os.Getenv(childFolder) != ""), Wake: func() { wake <- struct{}{} }})
	defer e.Close()
	f := follow.New(follow.Options{
		Store: d, Name: "runbook", Node: "n", Kinds: runbook.Kinds, Lease: func() (continuity.Lease, bool) { return lease, true },
	}, e)
	for {
		// The lease is the test's: it is renewed as long as the process lives.
		if lease, _, err = s.Lead(ctx, "control", strconv.Itoa(os.Getpid()), time.Minute); err != nil {
			return err
		}
		if _, err := f.Step(ctx); err != nil {
			return err
		}
		page, _, err := s.List(ctx, continuity.Query{Kind: continuity.KindRun})
		if err != nil || len(page) == 0 {
			return errors.Join(err, errors.New("no run"))
		}
		var r continuity.Run
		if err := json.Unmarshal(page[0].Body, &r); err != nil {
			return err
		}
		if r.Over() || slices.ContainsFunc(r.Steps, func(st continuity.StepRun) bool { return st.State == continuity.StepInterrupted }) {
			return s.Resign(ctx, lease)
		}
		<-wake
	}
}

// ran is how often each command ran.
func ran(t *testing.T, folder string) map[string]int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "ran")) // #nosec G304 -- of the test
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	all := map[string]int{}
	for _, id := range strings.Fields(string(text)) {
		all[id]++
	}
	return all
}

// TestKilledAtEachStage kills the process that goes through a run before and after each
// of its commits, and in the middle of a command. Whoever goes on asks wherever it can't
// be known; no step is lost, and none done twice.
func TestKilledAtEachStage(t *testing.T) {
	stages := []string{""} // by the command itself
	for commit := 1; commit <= 7; commit++ {
		stages = append(stages, strconv.Itoa(commit)+" before", strconv.Itoa(commit)+" after")
	}
	for _, stage := range stages {
		t.Run("commit "+stage, func(t *testing.T) {
			folder := t.TempDir()
			s, err := store.Open(t.Context(), filepath.Join(folder, "state.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			acts := runbook.NewActs(runbook.ActsOptions{Store: s, Plans: book{}, Actions: commands(folder, false), Now: time.Now})
			k, err := acts.Start(t.Context(), li, runbook.Begin{Service: "orders", Runbook: "back"})
			if err != nil {
				t.Fatal(err)
			}
			child := exec.Command(os.Args[0]) // #nosec G204 -- this program
			child.Env = append(os.Environ(), childFolder+"="+folder, childKill+"="+stage)
			said, err := child.CombinedOutput()
			if state, _ := child.ProcessState.Sys().(syscall.WaitStatus); err == nil || state.Signal() != syscall.SIGKILL {
				t.Fatalf("it was not killed: %v %s", err, said)
			}
			asked := 0
			for {
				if err := goThrough(folder, ""); err != nil {
					t.Fatal(err)
				}
				d, _, err := acts.Get(t.Context(), k.ID)
				if err != nil {
					t.Fatal(err)
				}
				if d.State == continuity.RunDone {
					break
				}
				for _, st := range d.Steps {
					if st.State != continuity.StepInterrupted {
						continue
					}
					asked++
					answer := runbook.AnswerAgain
					if ran(t, folder)[st.ID] > 0 { // as a person would look
						answer = runbook.AnswerDone
					}
					if _, err := acts.Answer(t.Context(), li, k.ID, st.ID, continuity.VersionAny, answer, ""); err != nil {
						t.Fatal(err)
					}
				}
			}
			if all := ran(t, folder); len(all) != 2 || all["a"] != 1 || all["b"] != 1 {
				t.Errorf("commands ran %v", all)
			}
			if asked > 1 {
				t.Errorf("it asked %d times", asked)
			}
			if _, err := s.Get(t.Context(), "mark", "c"); err != nil {
				t.Error(err)
			}
		})
	}
}
