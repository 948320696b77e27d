package backupfile_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"testing"
	"testing/iotest"
	"time"

	"holdfast/internal/backup"
	"holdfast/internal/backupfile"
	"holdfast/internal/backupkey"
	"holdfast/internal/continuity"
)

var (
	cycles = flag.Int("cycles", 1000, "how many mutated files")
	seeded = flag.Uint64("seed", 0, "of the mutations; 0: another one each time")
)

func random(t testing.TB) *rand.Rand {
	t.Helper()
	seed := *seeded
	if seed == 0 {
		seed = rand.Uint64() // #nosec G404 -- what is tried, not what is secret
	}
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1)) // #nosec G404 -- as above
}

var now = time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC)

func ring(t testing.TB) *backupkey.Ring {
	t.Helper()
	r, err := backupkey.New(now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func orders(id string) backupfile.Bound {
	return backupfile.Bound{Service: "shop", Set: "orders", Type: backup.TypeFull, ID: id}
}

// content is something between rows and noise.
func content(r *rand.Rand, size int) []byte {
	out := make([]byte, 0, size+16)
	for len(out) < size {
		if r.IntN(1000) == 0 {
			for range r.IntN(100_000) {
				out = append(out, byte(r.Uint32()))
			}
		}
		out = append(out, "order "...)
		for range 8 {
			out = append(out, byte('0'+r.IntN(10)))
		}
		out = append(out, '\n')
	}
	return out[:size]
}

func write(t testing.TB, keys *backupkey.Ring, b backupfile.Bound, plain []byte) ([]byte, backupfile.Written) {
	t.Helper()
	var file bytes.Buffer
	w, err := backupfile.NewWriter(&file, keys, b)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := io.Copy(w, bytes.NewReader(plain)); err != nil {
		t.Fatal(err)
	}
	written, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return file.Bytes(), written
}

func read(keys *backupkey.Ring, b backupfile.Bound, file io.Reader) ([]byte, error) {
	r, err := backupfile.NewReader(io.NopCloser(file), keys, b)
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(r)
	return plain, errors.Join(err, r.Close())
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	r, keys := random(t), ring(t)
	sizes := []int{0, 1, 1<<20 - 56, 1<<20 - 55, 1 << 20, 4<<20 - 1, 4 << 20, 4<<20 + 1, 9 << 20}
	for range 12 {
		sizes = append(sizes, r.IntN(1<<r.IntN(25)+1))
	}
	for _, size := range sizes {
		plain := content(r, size)
		file, written := write(t, keys, orders("a"), plain)
		sum := sha256.Sum256(file)
		want := backupfile.Written{Bytes: int64(len(file)), SHA256: hex.EncodeToString(sum[:]), Plain: int64(size), Key: keys.Current()}
		if written != want {
			t.Errorf("%d bytes: %+v, want %+v", size, written, want)
		}
		if !bytes.HasPrefix(file, []byte("holdfast backup 1\n"+keys.Current()+"\n")) || size > 100 && bytes.Contains(file, plain[:50]) {
			t.Errorf("%d bytes: %q", size, file[:30])
		}
		got, err := read(keys, orders("a"), iotest.HalfReader(bytes.NewReader(file)))
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%d bytes: %d, %v", size, len(got), err)
		}
	}
	one, _ := write(t, keys, orders("a"), []byte("x"))
	two, _ := write(t, keys, orders("a"), []byte("x"))
	if bytes.Equal(one[100:], two[100:]) {
		t.Error("two files under one data key")
	}
}

// TestFilesOpenAsWhatTheyAre asks for a file as another piece, field by field.
func TestFilesOpenAsWhatTheyAre(t *testing.T) {
	keys := ring(t)
	piece := backup.Manifest{
		Service: "shop", Set: "orders", Type: backup.TypeLog, ID: "b", Base: "a", Parent: "p",
		From: backup.Position{System: "1", Timeline: 1, At: "0/1"}, To: backup.Position{System: "1", Timeline: 1, At: "0/2"},
	}
	file, _ := write(t, keys, backupfile.BoundOf(piece), []byte("wal"))
	if got, err := read(keys, backupfile.BoundOf(piece), bytes.NewReader(file)); err != nil || string(got) != "wal" {
		t.Fatal(got, err)
	}
	for name, change := range map[string]func(*backup.Manifest){
		"service": func(m *backup.Manifest) { m.Service = "shopo" }, "set": func(m *backup.Manifest) { m.Set = "rders" },
		"type": func(m *backup.Manifest) { m.Type = backup.TypeDelta }, "id": func(m *backup.Manifest) { m.ID = "c" },
		"base": func(m *backup.Manifest) { m.Base = "" }, "parent": func(m *backup.Manifest) { m.Parent = "" },
		"system": func(m *backup.Manifest) { m.From.System = "2" }, "timeline": func(m *backup.Manifest) { m.To.Timeline = 2 },
		"from": func(m *backup.Manifest) { m.From.At = "0/0" }, "to": func(m *backup.Manifest) { m.To.At = "0/3" },
	} {
		other := piece
		change(&other)
		if got, err := read(keys, backupfile.BoundOf(other), bytes.NewReader(file)); continuity.CodeOf(err) != continuity.CodeBackupPiece || len(got) > 0 {
			t.Error(name, got, err)
		}
	}
	if got, err := read(ring(t), backupfile.BoundOf(piece), bytes.NewReader(file)); continuity.CodeOf(err) != continuity.CodeNoKey || len(got) > 0 {
		t.Error("another ring's keys:", got, err)
	}
	if _, err := keys.Rotate(now); err != nil {
		t.Fatal(err)
	}
	if got, err := read(keys, backupfile.BoundOf(piece), bytes.NewReader(file)); err != nil || string(got) != "wal" {
		t.Error("after a rotation:", got, err)
	}
}

// TestAFailingSourceIsNoDamagedFile keeps apart what a target does and what is in a file.
func TestAFailingSourceIsNoDamagedFile(t *testing.T) {
	r, keys := random(t), ring(t)
	plain := content(r, 5<<20)
	file, _ := write(t, keys, orders("a"), plain)
	for _, gone := range []error{errors.New("connection reset"), io.ErrUnexpectedEOF} {
		for _, n := range []int{0, 10, 110, len(file) / 2, len(file) - 1, len(file)} {
			got, err := read(keys, orders("a"), io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(gone)))
			if !errors.Is(err, gone) && n > headerBytes || err == nil || !bytes.HasPrefix(plain, got) {
				t.Errorf("after %d bytes: %v", n, err)
			}
			if continuity.CodeOf(err) == continuity.CodeBackupPiece {
				t.Errorf("after %d bytes the file is blamed: %v", n, err)
			}
		}
	}
}

const headerBytes = 89 + 40

func TestErrorsAreTheLastWord(t *testing.T) {
	r, keys := random(t), ring(t)
	file, _ := write(t, keys, orders("a"), content(r, 3<<20))
	file[len(file)-1] ^= 1 // the last segment, after which Tink's reader goes on to an end
	f, err := backupfile.NewReader(io.NopCloser(bytes.NewReader(file)), keys, orders("a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, f); continuity.CodeOf(err) != continuity.CodeBackupPiece {
		t.Fatal(err)
	}
	for range 3 {
		if n, err := f.Read(make([]byte, 10)); n != 0 || continuity.CodeOf(err) != continuity.CodeBackupPiece {
			t.Error(n, err)
		}
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// TestReadersEndWhereverTheyAre closes readers early, also one whose source never answers.
func TestReadersEndWhereverTheyAre(t *testing.T) {
	r, keys := random(t), ring(t)
	file, _ := write(t, keys, orders("a"), content(r, 12<<20))
	before := runtime.NumGoroutine()
	for range 20 {
		source, target := io.Pipe()
		cut := headerBytes + r.IntN(len(file)-headerBytes)
		fed := make(chan struct{})
		go func() {
			defer close(fed)
			_, _ = target.Write(file[:cut]) // until the reader goes; then nothing more comes
		}()
		f, err := backupfile.NewReader(source, keys, orders("a"))
		if err != nil {
			t.Fatal(err)
		}
		if cut > 4<<20 {
			if _, err := io.CopyN(io.Discard, f, 1000); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		<-fed
		if _, err := f.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
			t.Error("a closed reader told of an end:", err)
		}
	}
	settles(t, before)
}

// settles waits until goroutines that are about to end have.
func settles(t *testing.T, want int) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > want; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), want)
		}
	}
}

// narrow takes so many bytes.
type narrow struct {
	left int
	got  []byte
}

var errFull = errors.New("no room")

func (n *narrow) Write(p []byte) (int, error) {
	take := min(len(p), n.left)
	n.got, n.left = append(n.got, p[:take]...), n.left-take
	if take < len(p) {
		return take, errFull
	}
	return take, nil
}

func TestWritersWithoutRoomFail(t *testing.T) {
	r, keys := random(t), ring(t)
	plain := content(r, 6<<20)
	whole, _ := write(t, keys, orders("a"), plain)
	before := runtime.NumGoroutine()
	for _, room := range []int{0, 50, 100, 1000, len(whole) / 2, len(whole) - 1000} {
		out := &narrow{left: room}
		w, err := backupfile.NewWriter(out, keys, orders("a"))
		if err == nil {
			_, err = io.Copy(w, bytes.NewReader(plain))
			if err == nil {
				_, err = w.Close()
			}
			w.Abort()
		}
		if !errors.Is(err, errFull) {
			t.Errorf("with room for %d: %v", room, err)
		}
		if got, err := read(keys, orders("a"), bytes.NewReader(out.got)); err == nil {
			t.Errorf("with room for %d: a whole file of %d bytes", room, len(got))
		}
	}
	settles(t, before)
}

func TestFilesGivenUpHaveNoEnd(t *testing.T) {
	r, keys := random(t), ring(t)
	before := runtime.NumGoroutine()
	for range 10 {
		plain := content(r, r.IntN(10<<20))
		var file bytes.Buffer
		w, err := backupfile.NewWriter(&file, keys, orders("a"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(plain); err != nil {
			t.Fatal(err)
		}
		w.Abort()
		w.Abort()
		if _, err := w.Write(plain); err == nil {
			t.Error("written after it was given up")
		}
		if _, err := w.Close(); err == nil {
			t.Error("closed after it was given up")
		}
		if _, err := read(keys, orders("a"), bytes.NewReader(file.Bytes())); continuity.CodeOf(err) != continuity.CodeBackupPiece {
			t.Error(err)
		}
	}
	settles(t, before)
}

// TestMemoryIsConstant writes and reads at once more than memory it may take.
func TestMemoryIsConstant(t *testing.T) {
	r, keys := random(t), ring(t)
	block := content(r, 4<<20)
	const blocks, most = 64, 64 << 20 // with 8 MB of the test itself, and both ends
	measure := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	source, target := io.Pipe()
	wrote := make(chan error, 1)
	go func() {
		w, err := backupfile.NewWriter(target, keys, orders("a"))
		for i := 0; err == nil && i < blocks; i++ {
			_, err = w.Write(block)
		}
		if err == nil {
			_, err = w.Close()
		}
		wrote <- errors.Join(err, target.CloseWithError(err))
	}()
	f, err := backupfile.NewReader(source, keys, orders("a"))
	if err != nil {
		t.Fatal(err)
	}
	var peak uint64
	buffer := make([]byte, len(block))
	for range blocks {
		if _, err := io.ReadFull(f, buffer); err != nil || !bytes.Equal(buffer, block) {
			t.Fatal(err)
		}
		runtime.GC()
		metrics.Read(measure)
		peak = max(peak, measure[0].Value.Uint64())
	}
	if n, err := f.Read(buffer); n != 0 || !errors.Is(err, io.EOF) {
		t.Fatal(n, err)
	}
	if err := errors.Join(<-wrote, f.Close()); err != nil {
		t.Fatal(err)
	}
	if peak > most {
		t.Errorf("%d MB of objects while %d MB went through", peak>>20, blocks*len(block)>>20)
	}
	t.Logf("%d MB of objects at most", peak>>20)
}
