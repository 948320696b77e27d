package journal_test

import (
	"bytes"
	"testing"

	"holdfast/internal/journal"
	"holdfast/internal/journal/journaltest"
	"holdfast/internal/keyring"
)

const smallSegment = 16 << 10

// largest payload of a segment of smallSegment bytes.
const largest = smallSegment - 4096 - 32 - 96 - 32

func ring(t testing.TB) *keyring.Ring {
	t.Helper()
	r, err := keyring.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func otherRing(t testing.TB) *keyring.Ring {
	t.Helper()
	r, err := keyring.New(bytes.Repeat([]byte{8}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestConformanceOnCrashFS(t *testing.T) {
	t.Parallel()
	journaltest.Run(t, func(*testing.T) journaltest.Store {
		fs := journaltest.NewCrashFS(1)
		return journaltest.Store{Largest: largest, Open: func(t *testing.T) journal.Log {
			log, _, err := journal.Open(journal.Options{FS: fs.Process(), SegmentBytes: smallSegment, Ring: ring(t)})
			if err != nil {
				t.Fatal(err)
			}
			return log
		}}
	})
}

func TestConformanceOnRealDirectory(t *testing.T) {
	t.Parallel()
	journaltest.Run(t, func(t *testing.T) journaltest.Store {
		dir := t.TempDir()
		return journaltest.Store{Largest: largest, Open: func(t *testing.T) journal.Log {
			log, _, err := journal.Open(journal.Options{Dir: dir, SegmentBytes: smallSegment, Ring: ring(t)})
			if err != nil {
				t.Fatal(err)
			}
			return log
		}}
	})
}
