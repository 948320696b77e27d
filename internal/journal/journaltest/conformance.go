package journaltest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
)

// Store is one log that can be opened again and again. The suite closes what
// it opens.
type Store struct {
	Open func(t *testing.T) journal.Log
	// Largest is the largest payload that the log takes.
	Largest int
}

// Run checks that logs keep the contract of journal.Log. newStore is called for
// each test and gives an empty log; small segments let the suite see more.
func Run(t *testing.T, newStore func(t *testing.T) Store) {
	tests := []struct {
		name string
		test func(t *testing.T, s Store)
	}{
		{"empty log", testEmpty},
		{"entries come back as they were", testRoundTrip},
		{"entries survive opening again", testReopen},
		{"all begins anywhere", testAllFrom},
		{"all ends where the log ended when it began", testAllEnd},
		{"refused entries leave nothing", testRefused},
		{"positions without an entry", testPositions},
		{"retired entries are gone", testRetire},
		{"retirement survives opening again", testRetireReopen},
		{"room shrinks and comes back", testRoom},
		{"readers beside a writer", testConcurrent},
		{"nothing after close", testClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, newStore(t)) })
	}
}

func testEmpty(t *testing.T, s Store) {
	log := open(t, s)
	if got := Collect(t, log, 0); len(got) != 0 {
		t.Fatalf("%d entries in an empty log", len(got))
	}
	if got := Collect(t, log, log.Start()); len(got) != 0 {
		t.Fatalf("%d entries in an empty log", len(got))
	}
	if log.Start() > log.End() {
		t.Fatalf("start %x after end %x", uint64(log.Start()), uint64(log.End()))
	}
	if _, err := log.Append(nil); err != nil {
		t.Fatalf("Append of nothing: %v", err)
	}
	at := mustAppend(t, log, Batch(0, 1, 10))
	if at[0] < log.Start() || at[0] >= log.End() {
		t.Fatalf("entry at %x, log from %x to %x", uint64(at[0]), uint64(log.Start()), uint64(log.End()))
	}
}

func testRoundTrip(t *testing.T, s Store) {
	log := open(t, s)
	sizes := []int{0, 1, 7, 8, 9, 4000, 4096, 5000, s.Largest}
	var entries []journal.Entry
	for i, size := range sizes {
		entries = append(entries, Batch(uint64(i), 1, size)...) // #nosec G115 -- small
	}
	at := mustAppend(t, log, entries[:4])
	for _, e := range entries[4:] {
		at = append(at, mustAppend(t, log, []journal.Entry{e})...)
	}
	at = append(at, mustAppend(t, log, entries)...) // once more in one batch, over several segments
	entries = append(entries, entries...)
	Same(t, Collect(t, log, 0), entries, at)
	for i, p := range at {
		got, err := log.Read(p)
		if err != nil {
			t.Fatalf("Read of entry %d: %v", i, err)
		}
		Same(t, []journal.Stored{got}, entries[i:i+1], at[i:i+1])
	}
}

func testReopen(t *testing.T, s Store) {
	var entries []journal.Entry
	var at []continuity.Position
	for round := range uint64(4) {
		log := open(t, s)
		Same(t, Collect(t, log, 0), entries, at)
		e, p := fill(t, log, round<<32, s.Largest)
		entries, at = append(entries, e...), append(at, p...)
		if at[len(at)-1] >= log.End() {
			t.Fatal("the last entry stands behind the end")
		}
		Same(t, Collect(t, log, 0), entries, at)
		closeLog(t, log)
	}
}

func testAllFrom(t *testing.T, s Store) {
	log := open(t, s)
	entries, at := fill(t, log, 1, 3*s.Largest)
	stored := Collect(t, log, 0)
	for i := range entries {
		Same(t, Collect(t, log, at[i]), entries[i:], at[i:])
		Same(t, Collect(t, log, stored[i].Next), entries[i+1:], at[i+1:])
	}
	Same(t, Collect(t, log, log.Start()), entries, at)
	if got := Collect(t, log, log.End()); len(got) != 0 {
		t.Fatalf("%d entries behind the end", len(got))
	}
	for range log.All(0) {
		break // may stop anywhere
	}
}

func testAllEnd(t *testing.T, s Store) {
	log := open(t, s)
	mustAppend(t, log, Batch(0, 3, 100))
	n := 0
	for _, err := range log.All(0) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		mustAppend(t, log, Batch(uint64(n), 1, 100)) // #nosec G115 -- small
	}
	if n != 3 {
		t.Fatalf("%d entries, want the 3 that were there", n)
	}
}

func testRefused(t *testing.T, s Store) {
	log := open(t, s)
	entries := Batch(0, 2, 50)
	at := mustAppend(t, log, entries)
	for name, e := range map[string]journal.Entry{
		"too large":      {Kind: 1, Payload: make([]byte, s.Largest+1)},
		"no kind":        {},
		"the log's kind": {Kind: 240},
	} {
		if _, err := log.Append([]journal.Entry{{Kind: 1}, e}); !errors.Is(err, journal.ErrEntry) {
			t.Fatalf("%s: %v", name, err)
		}
	}
	e, p := fill(t, log, 10, s.Largest)
	Same(t, Collect(t, log, 0), append(entries, e...), append(at, p...))
}

func testPositions(t *testing.T, s Store) {
	log := open(t, s)
	at := mustAppend(t, log, Batch(0, 3, 50))
	for name, p := range map[string]continuity.Position{
		"the end": log.End(), "far behind it": log.End() + 1<<40, "zero": 0,
	} {
		if _, err := log.Read(p); !errors.Is(err, journal.ErrPosition) && !errors.Is(err, journal.ErrGone) {
			t.Fatalf("Read at %s: %v", name, err)
		}
	}
	for _, d := range []continuity.Position{1, 8, 16} {
		if s, err := log.Read(at[1] + d); err == nil {
			t.Fatalf("Read inside an entry gave %d bytes", len(s.Payload))
		}
	}
}

func testRetire(t *testing.T, s Store) {
	log := open(t, s)
	entries, at := fill(t, log, 1, 6*s.Largest)
	middle := len(at) / 2
	if err := log.Retire(at[middle]); err != nil {
		t.Fatal(err)
	}
	start := log.Start()
	if start > at[middle] {
		t.Fatalf("start is %x, retired below %x", uint64(start), uint64(at[middle]))
	}
	gone := 0
	for i, p := range at {
		_, err := log.Read(p)
		switch {
		case p >= start && err != nil:
			t.Fatalf("Read of a kept entry: %v", err)
		case p < start && !errors.Is(err, journal.ErrGone):
			t.Fatalf("Read of a retired entry: %v", err)
		case p < start:
			gone = i + 1
		}
	}
	if gone == 0 {
		t.Fatal("half of the log was retired, and nothing is gone")
	}
	for _, err := range log.All(at[0]) {
		if !errors.Is(err, journal.ErrGone) {
			t.Fatalf("All from a retired entry: %v", err)
		}
	}
	Same(t, Collect(t, log, 0), entries[gone:], at[gone:])
	if err := log.Retire(at[middle]); err != nil {
		t.Fatalf("Retire again: %v", err)
	}
	if err := log.Retire(log.End() + 1<<40); err != nil {
		t.Fatal(err)
	}
	if log.Start() > log.End() {
		t.Fatal("start after end")
	}
	e, p := fill(t, log, 1<<32, 3*s.Largest)
	kept := Collect(t, log, 0)
	Same(t, kept[len(kept)-len(e):], e, p)
}

func testRetireReopen(t *testing.T, s Store) {
	log := open(t, s)
	for round := range uint64(5) {
		entries, at := fill(t, log, round<<32, 4*s.Largest)
		middle := len(at) / 2
		if err := log.Retire(at[middle]); err != nil {
			t.Fatal(err)
		}
		start := log.Start()
		closeLog(t, log)
		log = open(t, s)
		if log.Start() != start {
			t.Fatalf("start %x, was %x", uint64(log.Start()), uint64(start))
		}
		kept := Collect(t, log, 0)
		n := len(entries) - len(kept)
		if n < 0 || n > middle {
			t.Fatalf("%d entries kept of %d", len(kept), len(entries))
		}
		Same(t, kept, entries[n:], at[n:])
		if _, err := log.Read(at[0]); !errors.Is(err, journal.ErrGone) {
			t.Fatalf("Read of a retired entry: %v", err)
		}
		if err := log.Retire(log.End()); err != nil {
			t.Fatal(err)
		}
	}
}

func testRoom(t *testing.T, s Store) {
	log := open(t, s)
	free, used := log.Room()
	if free < int64(s.Largest) || used < 0 {
		t.Fatalf("room for %d bytes, %d used", free, used)
	}
	if err := log.Reserve(3 * int64(s.Largest)); err != nil {
		t.Fatal(err)
	}
	if free, used = log.Room(); free < 3*int64(s.Largest) || used < 3*int64(s.Largest) {
		t.Fatalf("room for %d bytes, %d used, after a reserve of %d", free, used, 3*s.Largest)
	}
	if err := log.Reserve(1 << 62); !errors.Is(err, journal.ErrFull) {
		t.Fatalf("Reserve of more than there can be: %v", err)
	}
	entries, at := fill(t, log, 0, 2*s.Largest)
	Same(t, Collect(t, log, 0), entries, at)
}

func testConcurrent(t *testing.T, s Store) {
	log := open(t, s)
	var mu sync.Mutex
	var entries []journal.Entry
	var at []continuity.Position
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for reader := range uint64(3) {
		readers.Go(func() {
			r := rand.New(rand.NewPCG(reader, 1)) // #nosec G404 -- a test's choice
			for {
				select {
				case <-stop:
					return
				default:
				}
				mu.Lock()
				n := len(at)
				mu.Unlock()
				if n == 0 {
					continue
				}
				i := r.IntN(n)
				mu.Lock()
				want, p := entries[i], at[i]
				mu.Unlock()
				got, err := log.Read(p)
				if errors.Is(err, journal.ErrGone) {
					continue
				}
				if err != nil || !bytes.Equal(got.Payload, want.Payload) {
					t.Errorf("Read of entry %d: %v", i, err)
					return
				}
				for s, err := range log.All(p) {
					if err != nil && !errors.Is(err, journal.ErrGone) {
						t.Errorf("All from entry %d: %v", i, err)
						return
					}
					if err == nil && s.Position >= log.End() {
						t.Errorf("All gave an entry behind the end")
					}
					if r.IntN(20) == 0 {
						break
					}
				}
			}
		})
	}
	for i := range uint64(150) {
		batch := Batch(i*10, 1+int(i%7), 200) // #nosec G115 -- small
		p := mustAppend(t, log, batch)
		mu.Lock()
		entries, at = append(entries, batch...), append(at, p...)
		mu.Unlock()
		if i%40 == 39 {
			if err := log.Retire(p[0] - 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(stop)
	readers.Wait()
}

func testClosed(t *testing.T, s Store) {
	log := open(t, s)
	mustAppend(t, log, Batch(0, 1, 10))
	closeLog(t, log)
	if _, err := log.Append(Batch(1, 1, 10)); !errors.Is(err, journal.ErrClosed) {
		t.Fatalf("Append after Close: %v", err)
	}
	if err := log.Close(); err != nil {
		t.Fatalf("Close again: %v", err)
	}
	log = open(t, s)
	if got := fmt.Sprint(len(Collect(t, log, 0))); got != "1" {
		t.Fatalf("%s entries", got)
	}
}
