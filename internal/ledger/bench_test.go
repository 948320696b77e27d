package ledger_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/keyring"
	"holdfast/internal/ledger"
)

func onDisk(b *testing.B) *ledger.Ledger {
	b.Helper()
	ring, err := keyring.New(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	log, _, err := journal.Open(journal.Options{Dir: b.TempDir(), Ring: ring})
	if err != nil {
		b.Fatal(err)
	}
	open := continuity.Route{ID: "orders", Hold: continuity.Hold{State: continuity.HoldOn}}
	l, _, err := ledger.Open(ledger.Options{Log: log, Routes: []continuity.Route{open}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = l.Close()
		_ = log.Close()
	})
	return l
}

func each(n, workers int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				do(i)
			}
		})
	}
	wg.Wait()
}

// BenchmarkAccept keeps 1 KB requests of 10,000 keys on disk.
func BenchmarkAccept(b *testing.B) {
	for _, workers := range []int{1, 64} {
		b.Run(fmt.Sprint(workers), func(b *testing.B) {
			l := onDisk(b)
			body := make([]byte, 1024)
			b.ReportAllocs()
			b.ResetTimer()
			each(b.N, workers, func(i int) {
				r := record(i, continuity.KeyTag(i%10000)+1)
				r.Body = body
				if _, _, err := l.Accept(r, false); err != nil {
					b.Error(err)
				}
			})
		})
	}
}

// BenchmarkDrain claims, marks and ends records of 10,000 keys, 64 at once.
func BenchmarkDrain(b *testing.B) {
	l := onDisk(b)
	body := make([]byte, 1024)
	each(b.N, 64, func(i int) {
		r := record(i, continuity.KeyTag(i%10000)+1)
		r.Body = body
		if _, _, err := l.Accept(r, false); err != nil {
			b.Error(err)
		}
	})
	b.ReportAllocs()
	b.ResetTimer()
	var marks sync.WaitGroup
	defer marks.Wait()
	each(b.N, 64, func(int) {
		for {
			st, ok := l.Claim("orders")
			if !ok {
				<-l.Ready("orders")
				continue
			}
			if _, err := l.Attempt(st.Receipt); err != nil {
				b.Error(err)
			}
			marks.Add(1)
			l.FinishAsync(continuity.Outcome{Receipt: st.Receipt, To: continuity.Delivered}, func(_ ledger.Status, err error) {
				if err != nil {
					b.Error(err)
				}
				marks.Done()
			})
			return
		}
	})
}
