package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/ledger"
)

// shapes are the ways in which a million records can be pending.
var shapes = []struct {
	name string
	key  func(n int) continuity.KeyTag
	body int
	more bool // as many as -remembered have ended before
}{
	{"all keys distinct", distinct, bodyBytes, false},
	{"10,000 keys", func(n int) continuity.KeyTag { return continuity.KeyTag(n%10000) + 1 }, bodyBytes, false},
	{"half behind one parked key", func(n int) continuity.KeyTag {
		if n%2 == 0 {
			return 1
		}
		return continuity.KeyTag(n)
	}, bodyBytes, false},
	{"remembered repeat keys beside", distinct, 4 * bodyBytes, true},
}

func distinct(n int) continuity.KeyTag { return continuity.KeyTag(n) }

// memory is what a process that has so much pending takes.
type memory struct {
	Resident int64   `json:"resident"`
	Index    int64   `json:"index"`   // of it, for the repeat index: 32 B an entry, at most 7/8 full
	Seconds  float64 `json:"seconds"` // from opening the journal to the first answer
	Pending  int64   `json:"pending"`
}

// pendingRows keep a million requests, kill the process at a random moment while
// it accepts more, drop the page cache where allowed, and open the journal again
// in a new process.
func (b *bench) pendingRows() error {
	for i, shape := range shapes {
		kept, need := fmt.Sprintf("%d pending %d KB requests, %s", b.pending, shape.body/bodyBytes, shape.name), int64(b.pending*shape.body)*3/2
		if shape.more {
			kept = fmt.Sprintf("%d pending requests with %.1f GiB of bodies, %d remembered repeat keys", b.pending, float64(b.pending*shape.body)/(1<<30), b.remembered)
			need += int64(b.remembered) * 600
		}
		if free, err := freeBytes(b.dir); err != nil || free < need {
			b.row(kept, fmt.Sprintf("not measured: takes %d MB on disk, %d MB are free", need>>20, free>>20), "< 150 MB without the index, < 5 s")
			continue
		}
		dir, err := os.MkdirTemp(b.dir, "pending-")
		if err != nil {
			return err
		}
		if err := b.fillAndKill(i, dir); err != nil {
			return err
		}
		syscall.Sync()
		cache := "page cache dropped"
		if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0); err != nil {
			cache = "page cache warm: may not drop it"
		}
		m, err := b.reopened(i, dir)
		if err != nil {
			return err
		}
		b.row(kept+": resident",
			fmt.Sprintf("%.0f MB; of it the repeat index about %.0f MB", float64(m.Resident)/1e6, float64(m.Index)/1e6), "< 150 MB without the index")
		b.row(kept+": killed, restart to first answer", fmt.Sprintf("%.2f s (%d pending, %s)", m.Seconds, m.Pending, cache), "< 5 s")
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

func freeBytes(dir string) (int64, error) {
	var st syscall.Statfs_t
	err := syscall.Statfs(dir, &st)
	return int64(st.Bavail) * st.Bsize, err
}

func (b *bench) pendingChild(what string, shape int, dir string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "-pending-"+what, strconv.Itoa(shape), "-dir", dir, "-pending", strconv.Itoa(b.pending), "-remembered", strconv.Itoa(b.remembered))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd, nil
}

func (b *bench) fillAndKill(shape int, dir string) error {
	cmd, err := b.pendingChild("fill", shape, dir)
	if err != nil {
		return err
	}
	said, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	_, filled := bufio.NewReader(said).ReadString('\n')
	if filled == nil {
		time.Sleep(rand.N(2 * time.Second))
	}
	_ = cmd.Process.Kill() // fails only where it has ended
	_ = cmd.Wait()
	return filled
}

func (b *bench) reopened(shape int, dir string) (m memory, err error) {
	cmd, err := b.pendingChild("reopen", shape, dir)
	if err != nil {
		return m, err
	}
	out, err := cmd.Output()
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(out, &m)
}

// fillPending keeps the records, says so, and goes on accepting until it is
// killed.
func fillPending(shape, n, more int, dir string) error {
	var fs slowFS
	l, _, err := openLedger(dir, 0, &fs)
	if err != nil {
		return err
	}
	go func() { _ = l.Run(context.Background()) }() // checkpoints as in the product
	if shapes[shape].more {
		if err := remember(l, n+1, more); err != nil {
			return err
		}
	}
	pending := func(i int) *continuity.Record {
		r := order(i)
		r.Key, r.Body = shapes[shape].key(i), make([]byte, shapes[shape].body)
		return r
	}
	if err := fill(l, n, pending); err != nil {
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
	fmt.Println("filled")
	for i := 1 << 40; ; i++ { // small ones, one after another, so that the figures stay those of n
		r := order(i)
		r.Body = r.Body[:16]
		if _, _, err := l.Accept(r, false); err != nil {
			return err
		}
	}
}

// remember has the ledger know n repeat keys of records that were delivered,
// numbered from first on: ten thousand come at once, and end at once.
func remember(l *ledger.Ledger, first, n int) error {
	const batch = 10_000
	var failed atomic.Pointer[error]
	var marks sync.WaitGroup
	ended := func(_ ledger.Status, err error) {
		if err != nil {
			failed.Store(&err)
		}
		marks.Done()
	}
	for from := first; from < first+n; from += batch {
		for i := from; i < min(from+batch, first+n); i++ {
			r := order(i)
			r.Key, r.Body = continuity.KeyTag(i), nil
			marks.Add(1)
			if _, err := l.AcceptAsync(r, false, ended); err != nil {
				return err
			}
		}
		marks.Wait()
		for {
			st, ok := l.Claim("orders")
			if !ok {
				break
			}
			marks.Add(1)
			l.FinishAsync(continuity.Outcome{Receipt: st.Receipt, To: continuity.Delivered, Response: &continuity.Response{Status: 201}}, ended)
		}
		marks.Wait()
		if err := failed.Load(); err != nil {
			return *err
		}
	}
	return nil
}

func reopenPending(shape, n, more int, dir string) error {
	if !shapes[shape].more {
		more = 0
	}
	began := time.Now()
	var fs slowFS
	l, _, err := openLedger(dir, 0, &fs)
	if err != nil {
		return err
	}
	r := order(-1)
	r.Key = 7777777777
	if _, _, err := l.Accept(r, false); err != nil {
		return err
	}
	if more > 0 {
		if st, ok := l.Status(order(n + more).Receipt); !ok || st.State != continuity.Delivered {
			return fmt.Errorf("the last of %d ended records is not remembered", more)
		}
	}
	m := memory{Seconds: time.Since(began).Seconds(), Pending: l.Counters("orders").Pending(), Index: int64(float64(n+more) * 32 / 0.6)}
	runtime.GC()
	debug.FreeOSMemory()
	if m.Resident, err = resident(os.Getpid()); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(m)
}
