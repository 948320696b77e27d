package journal_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/journal"
	"holdfast/internal/journal/journaltest"
)

// benchPayload is what an accepted request of 1 KB comes to, about.
const benchPayload = 1 << 10

func openBench(b *testing.B) *journal.Files {
	b.Helper()
	log, _, err := journal.Open(journal.Options{Dir: b.TempDir(), Ring: ring(b)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = log.Close() })
	return log
}

// BenchmarkAppend reports durable entries a second, and what the device is
// given for each: whole pages, once for each batch they are part of.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 8, 32, 64} {
		b.Run(fmt.Sprintf("batch=%d", n), func(b *testing.B) {
			log := openBench(b)
			batch := journaltest.Batch(1, n, benchPayload)
			b.ReportAllocs()
			var device int64
			last := log.End()
			for b.Loop() {
				at, err := log.Append(batch)
				if err != nil {
					b.Fatal(err)
				}
				device += pages(at[0], log.End())
				if log.End()>>32 > last>>32 { // what was written goes back into use
					last = log.End()
					b.StopTimer()
					if err := log.Retire(last); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "entries/s")
			b.ReportMetric(float64(device)/float64(b.N*n), "device-B/entry")
		})
	}
}

// pages is the size of the pages between two positions of one segment; of a
// batch that went on in another, it counts that part.
func pages(from, to continuity.Position) int64 {
	const page = 4096
	if from>>32 != to>>32 {
		from = to &^ 0xffffffff
	}
	return int64((to+page-1)&^(page-1) - from&^(page-1)) // #nosec G115 -- less than a segment
}

// BenchmarkEncode is Append without a disk: the processor's share.
func BenchmarkEncode(b *testing.B) {
	for _, n := range []int{1, 32} {
		b.Run(fmt.Sprintf("batch=%d", n), func(b *testing.B) {
			log, _, err := journal.Open(journal.Options{FS: memory{}, SegmentBytes: 2 << 30, Ring: ring(b)})
			if err != nil {
				b.Fatal(err)
			}
			defer log.Close()
			batch := journaltest.Batch(1, n, benchPayload)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := log.Append(batch); err != nil {
					b.Fatal(err)
				}
				if log.End()>>32 > 2 {
					if err := log.Retire(log.End()); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/entry")
		})
	}
}

// memory is a file system that keeps nothing.
type memory struct{}

func (memory) Open(string) (journal.File, error)      { return nil, fs.ErrNotExist }
func (memory) OpenWrite(string) (journal.File, error) { return nothing{}, nil }
func (memory) Create(string) (journal.File, error)    { return nothing{}, nil }
func (memory) Rename(string, string) error            { return nil }
func (memory) Remove(string) error                    { return nil }
func (memory) List() ([]string, error)                { return nil, nil }
func (memory) SyncDir() error                         { return nil }
func (memory) Lock(string) (io.Closer, error)         { return nothing{}, nil }
func (memory) Free() (int64, error)                   { return 1 << 50, nil }

type nothing struct{}

func (nothing) ReadAt(p []byte, _ int64) (int, error)  { return len(p), nil }
func (nothing) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (nothing) Sync() error                            { return nil }
func (nothing) SyncAll() error                         { return nil }
func (nothing) Zero(int64, func(int64) error) error    { return nil }
func (nothing) Truncate(int64) error                   { return nil }
func (nothing) Size() (int64, error)                   { return 0, nil }
func (nothing) Close() error                           { return nil }

func BenchmarkRead(b *testing.B) {
	log := openBench(b)
	var at []continuity.Position
	for i := range uint64(500) {
		at = append(at, appendBench(b, log, journaltest.Batch(i, 64, benchPayload))...)
	}
	r := rand.New(rand.NewPCG(1, 1))
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := log.Read(at[r.IntN(len(at))]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			for _, err := range log.All(0) {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
		}
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "entries/s")
	})
}

func appendBench(b *testing.B, log *journal.Files, batch []journal.Entry) []continuity.Position {
	b.Helper()
	at, err := log.Append(batch)
	if err != nil {
		b.Fatal(err)
	}
	return at
}

func BenchmarkCheckpoint(b *testing.B) {
	const size = 400 << 20
	log := openBench(b)
	appendBench(b, log, journaltest.Batch(0, 1, 100))
	c := log.Checkpoints()
	buf := make([]byte, 64<<10)
	b.Run("save", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			err := c.Save(log.End(), func(w io.Writer) error {
				for i := range size / len(buf) {
					binary.LittleEndian.PutUint64(buf, uint64(i)) // #nosec G115 -- small
					if _, err := w.Write(buf); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("load", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			err := c.Load(func(_ continuity.Position, r io.Reader) error {
				n := 0
				for {
					k, err := r.Read(buf)
					n += k
					if err == io.EOF {
						break
					}
					if err != nil {
						return err
					}
				}
				if n != size {
					return fmt.Errorf("%d bytes", n)
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkOpen opens a journal whose last segment is half full.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	o := journal.Options{Dir: dir, Ring: ring(b)}
	log, _, err := journal.Open(o)
	if err != nil {
		b.Fatal(err)
	}
	for i := range uint64(450) {
		appendBench(b, log, journaltest.Batch(i, 64, benchPayload))
	}
	if err := log.Close(); err != nil {
		b.Fatal(err)
	}
	var spent time.Duration
	for b.Loop() {
		start := time.Now()
		log, _, err := journal.Open(o)
		if err != nil {
			b.Fatal(err)
		}
		spent += time.Since(start)
		if err := log.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(spent.Milliseconds())/float64(b.N), "ms/open")
}
