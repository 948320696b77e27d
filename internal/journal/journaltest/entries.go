package journaltest

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
)

// Payload makes bytes that differ for each n.
func Payload(n uint64, size int) []byte {
	b := make([]byte, size)
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], n)
	_, _ = rand.NewChaCha8(seed).Read(b) // never fails
	return b
}

// Batch makes n entries; the first bears number from.
func Batch(from uint64, n, size int) []journal.Entry {
	batch := make([]journal.Entry, n)
	for i := range batch {
		k := from + uint64(i) // #nosec G115 -- small
		batch[i] = journal.Entry{Kind: continuity.Kind(1 + k%9), Payload: Payload(k, size)}
	}
	return batch
}

// Collect reads the whole log from a position.
func Collect(t testing.TB, log journal.Log, from continuity.Position) []journal.Stored {
	t.Helper()
	var all []journal.Stored
	for s, err := range log.All(from) {
		if err != nil {
			t.Fatalf("All(%x) after %d entries: %v", uint64(from), len(all), err)
		}
		all = append(all, s)
	}
	return all
}

// Same fails the test unless stored are the entries at the positions.
func Same(t testing.TB, stored []journal.Stored, want []journal.Entry, at []continuity.Position) {
	t.Helper()
	if len(stored) != len(want) {
		t.Fatalf("%d entries, want %d", len(stored), len(want))
	}
	for i, s := range stored {
		if s.Position != at[i] || s.Kind != want[i].Kind || !bytes.Equal(s.Payload, want[i].Payload) {
			t.Fatalf("entry %d at %x differs from what was appended at %x", i, uint64(s.Position), uint64(at[i]))
		}
		if s.Next <= s.Position || i+1 < len(at) && s.Next > at[i+1] {
			t.Fatalf("entry %d at %x: next is %x", i, uint64(s.Position), uint64(s.Next))
		}
	}
}

func mustAppend(t testing.TB, log journal.Log, batch []journal.Entry) []continuity.Position {
	t.Helper()
	at, err := log.Append(batch)
	if err != nil {
		t.Fatalf("Append: %v", err)
	}
	if len(at) != len(batch) {
		t.Fatalf("Append gave %d positions for %d entries", len(at), len(batch))
	}
	return at
}

// fill appends batches of several sizes until total bytes are in the log.
func fill(t testing.TB, log journal.Log, from uint64, total int) (entries []journal.Entry, at []continuity.Position) {
	t.Helper()
	r := rand.New(rand.NewPCG(from, 7)) // #nosec G404 -- a test's choice
	for bytes := 0; bytes < total; {
		batch := Batch(from+uint64(len(entries)), 1+r.IntN(5), r.IntN(300))
		for _, e := range batch {
			bytes += len(e.Payload) + 32
		}
		entries = append(entries, batch...)
		at = append(at, mustAppend(t, log, batch)...)
	}
	return entries, at
}

func open(t *testing.T, s Store) journal.Log {
	t.Helper()
	log := s.Open(t)
	t.Cleanup(func() { _ = log.Close() })
	return log
}

func closeLog(t *testing.T, log journal.Log) {
	t.Helper()
	if err := log.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}
