package backupfile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"runtime/metrics"
	"testing"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backupfile"
)

// BenchmarkWrite and BenchmarkRead are about 1 GB of rows each: -benchtime 1x.
const benchBytes = 1 << 30

// rows are somewhat like those of a database: numbers, times, words.
func rows() []byte {
	r := rand.New(rand.NewPCG(1, 1)) // #nosec G404 -- no secret
	words := make([]string, 5000)
	for i := range words {
		for range 3 + r.IntN(7) {
			words[i] += string(rune('a' + r.IntN(26)))
		}
	}
	out := make([]byte, 0, 17<<20)
	for id := uint64(0); len(out) < 16<<20; id++ {
		out = binary.LittleEndian.AppendUint64(out, id)
		out = binary.LittleEndian.AppendUint32(out, r.Uint32()%1_000_000)
		out = binary.LittleEndian.AppendUint64(out, 1_700_000_000_000_000+id*977)
		for range 8 {
			out = append(append(out, words[r.IntN(len(words))]...), ' ')
		}
	}
	return out[:16<<20]
}

func BenchmarkWrite(b *testing.B) {
	block, keys := rows(), ring(b)
	for b.Loop() {
		peak := peakOf(b)
		w, err := backupfile.NewWriter(io.Discard, keys, orders("a"))
		if err != nil {
			b.Fatal(err)
		}
		for range benchBytes / len(block) {
			if _, err := w.Write(block); err != nil {
				b.Fatal(err)
			}
		}
		written, err := w.Close()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(written.Plain)/float64(written.Bytes), "ratio")
		b.ReportMetric(peak(), "MB-heap")
	}
	b.SetBytes(benchBytes)
}

func BenchmarkRead(b *testing.B) {
	block, keys := rows(), ring(b)
	var file bytes.Buffer
	w, err := backupfile.NewWriter(&file, keys, orders("a"))
	if err != nil {
		b.Fatal(err)
	}
	for range benchBytes / len(block) {
		if _, err := w.Write(block); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		peak := peakOf(b)
		r, err := backupfile.NewReader(io.NopCloser(bytes.NewReader(file.Bytes())), keys, orders("a"))
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, r)
		if err = errors.Join(err, r.Close()); err != nil || n != benchBytes {
			b.Fatal(n, err)
		}
		b.ReportMetric(peak(), "MB-heap")
	}
	b.SetBytes(benchBytes)
}

// BenchmarkSlice is one of the small spans of a log that come every half second.
func BenchmarkSlice(b *testing.B) {
	keys, wal := ring(b), rows()[:64<<10]
	bound := orders("a")
	bound.Type = backup.TypeLog
	b.ReportAllocs()
	for b.Loop() {
		w, err := backupfile.NewWriter(io.Discard, keys, bound)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write(wal); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// peakOf watches the heap from now on, garbage included, and tells how many megabytes
// were added.
func peakOf(b *testing.B) func() float64 {
	b.Helper()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	start, peak := sample[0].Value.Uint64(), uint64(0)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				metrics.Read(sample)
				peak = max(peak, sample[0].Value.Uint64())
			}
		}
	}()
	return func() float64 {
		close(done)
		<-ended
		return (float64(peak) - float64(start)) / 1e6
	}
}
