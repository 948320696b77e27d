package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"holdfast/internal/continuity"
)

// shapes are the ways in which a million records can be pending.
var shapes = []struct {
	name string
	key  func(n int) continuity.KeyTag
}{
	{"all keys distinct", func(n int) continuity.KeyTag { return continuity.KeyTag(n) }},
	{"10,000 keys", func(n int) continuity.KeyTag { return continuity.KeyTag(n%10000) + 1 }},
	{"half behind one parked key", func(n int) continuity.KeyTag {
		if n%2 == 0 {
			return 1
		}
		return continuity.KeyTag(n)
	}},
}

// memory is what a process that has so much pending takes.
type memory struct {
	Resident int64   `json:"resident"`
	Index    int64   `json:"index"`   // of it, for the repeat index: 32 B an entry, at most 7/8 full
	Seconds  float64 `json:"seconds"` // from opening the journal to the first answer
	Pending  int64   `json:"pending"`
}

// pendingRows keep a million 1 KB requests, kill the process, drop the page
// cache where allowed, and open the journal again in a new process.
func (b *bench) pendingRows() error {
	for i, shape := range shapes {
		dir, err := os.MkdirTemp(b.dir, "pending-")
		if err != nil {
			return err
		}
		if _, err := b.pendingChild("fill", i, dir); err != nil {
			return err
		}
		syscall.Sync()
		cache := "page cache dropped"
		if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0); err != nil {
			cache = "page cache warm: may not drop it"
		}
		m, err := b.pendingChild("reopen", i, dir)
		if err != nil {
			return err
		}
		b.row(fmt.Sprintf("%d pending 1 KB requests, %s: resident", b.pending, shape.name),
			fmt.Sprintf("%.0f MB; of it the repeat index about %.0f MB", float64(m.Resident)/1e6, float64(m.Index)/1e6), "< 150 MB without the index")
		b.row(fmt.Sprintf("%d pending, %s: killed, restart to first answer", m.Pending, shape.name), fmt.Sprintf("%.2f s (%s)", m.Seconds, cache), "< 5 s")
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) pendingChild(what string, shape int, dir string) (memory, error) {
	self, err := os.Executable()
	if err != nil {
		return memory{}, err
	}
	cmd := exec.Command(self, "-pending-"+what, strconv.Itoa(shape), "-dir", dir, "-pending", strconv.Itoa(b.pending))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil && what == "reopen" {
		return memory{}, err
	}
	var m memory
	if what == "reopen" {
		err = json.Unmarshal(out, &m)
	} else {
		err = nil // it killed itself
	}
	return m, err
}

// fillPending keeps the records and dies as by kill -9.
func fillPending(shape, n int, dir string) error {
	var fs slowFS
	l, _, err := openLedger(dir, 0, &fs)
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-time.After(time.Second):
				_ = l.Checkpoint()
			case <-stop:
				return
			}
		}
	}()
	if err := fill(l, n, func(i int) *continuity.Record {
		r := order(i)
		r.Key = shapes[shape].key(i)
		return r
	}); err != nil {
		return err
	}
	if shape == 2 {
		for {
			st, ok := l.Claim("orders")
			if !ok {
				break
			}
			if st.Key == 1 {
				if _, err := l.Finish(continuity.Outcome{Receipt: st.Receipt, To: continuity.Parked, Reason: continuity.ReasonPoison}); err != nil {
					return err
				}
				break
			}
		}
	}
	return syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

func reopenPending(n int, dir string) error {
	began := time.Now()
	var fs slowFS
	l, _, err := openLedger(dir, 0, &fs)
	if err != nil {
		return err
	}
	r := order(n + 1)
	r.Key = 7777777777
	if _, _, err := l.Accept(r, false); err != nil {
		return err
	}
	m := memory{Seconds: time.Since(began).Seconds(), Pending: l.Counters("orders").Pending(), Index: int64(float64(n) * 32 / 0.6)}
	runtime.GC()
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for _, line := range strings.Split(string(status), "\n") {
		if kb, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(kb), " kB"), 10, 64)
			if err != nil {
				return err
			}
			m.Resident = n * 1024
		}
	}
	return json.NewEncoder(os.Stdout).Encode(m)
}
