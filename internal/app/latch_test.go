package app

import (
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
	"holdfast/internal/journal"
)

// brittle is a disk whose syncs begin to fail.
type brittle struct {
	journal.FS
	broken *atomic.Bool
}

func (b brittle) Create(name string) (journal.File, error) {
	f, err := b.FS.Create(name)
	return brittleFile{f, b.broken}, err
}

func (b brittle) OpenWrite(name string) (journal.File, error) {
	f, err := b.FS.OpenWrite(name)
	return brittleFile{f, b.broken}, err
}

type brittleFile struct {
	journal.File
	broken *atomic.Bool
}

func (f brittleFile) Sync() error {
	if f.broken.Load() {
		return syscall.EIO
	}
	return f.File.Sync()
}

// A failed sync is shown wherever people and programs look, lets requests pass
// that wait for nothing, and ends with a restart.
func TestRule1_2_LatchedRelay(t *testing.T) {
	s := newShop(t)
	file := write(t, t.TempDir(), orders(s.address))
	var broken atomic.Bool
	a := New(Options{ConfigFile: file, Logger: quiet(), files: func(fs journal.FS) journal.FS {
		if err := os.MkdirAll(strings.TrimSuffix(file, "relay.yaml")+"data/journal", 0o700); err != nil {
			t.Fatal(err)
		}
		return brittle{fs, &broken}
	}})
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, a) })
	s.close()
	status, receipt := place(t, a, "1", `{"no":"A","n":1}`)
	if status != http.StatusAccepted {
		t.Fatal(status)
	}
	broken.Store(true)
	if status, _ := place(t, a, "1", `{"no":"B"}`); status != http.StatusServiceUnavailable {
		t.Errorf("a request that can't be kept: %d", status)
	}
	broken.Store(false) // it stays latched all the same
	seen, err := client(t, a).Status(t.Context())
	if err != nil || seen.State != api.StateLatched || seen.Routes[0].Mode != continuity.ModeLatched || seen.Warnings[0].ID != "latched" {
		t.Errorf("%+v %v", seen, err)
	}
	if got := scrape(t, a); !strings.Contains(got, "holdfast_relay_latched 1") {
		t.Error("the metrics don't tell")
	}
	_, err = client(t, a).Switch(t.Context(), api.SwitchRequest{Route: "orders", Intake: "pass", Person: "li.wei", Why: "x"})
	if continuity.CodeOf(err) != continuity.CodeLatched {
		t.Errorf("a switch: %v", err)
	}
	s.open()
	if status, _ := place(t, a, "1", `{"no":"C"}`); status != http.StatusCreated {
		t.Errorf("a request outside the gate: %d", status)
	}
	if status, _ := place(t, a, "1", `{"no":"A","n":2}`); status != http.StatusServiceUnavailable {
		t.Errorf("a request behind a kept one: %d", status)
	}
	if got := s.next(); got != `{"no":"C"}` {
		t.Errorf("the shop was sent %s", got)
	}
	stop(t, a)

	b := start(t, file)
	if state := ended(t, b, receipt); state != continuity.Delivered {
		t.Errorf("after the restart the record is %s", state)
	}
	seen, err = client(t, b).Status(t.Context())
	if err != nil || seen.State != api.StateReady || !seen.Routes[0].Counters.Balanced {
		t.Errorf("%+v %v", seen, err)
	}
}
