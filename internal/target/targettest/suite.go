package targettest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/target"
)

// Run holds a target that is empty to what every one has to do. again opens the same
// place anew, as another process would.
func Run(t *testing.T, place target.Target, again func(t *testing.T) target.Target) {
	t.Helper()
	t.Run("whole", func(t *testing.T) { whole(t, place, again(t)) })
	t.Run("half", func(t *testing.T) { half(t, place, again(t)) })
	t.Run("names", func(t *testing.T) { names(t, place) })
	t.Run("at once", func(t *testing.T) { atOnce(t, place, again(t)) })
	t.Run("many", func(t *testing.T) { many(t, place) })
}

// Noise is bytes that can't be compressed, the same ones for a seed.
func Noise(seed uint64, size int) []byte {
	source := rand.NewChaCha8(sha256.Sum256(fmt.Append(nil, seed)))
	out := make([]byte, size)
	_, _ = source.Read(out) // never fails
	return out
}

// Holds requires a file to be there with this content.
func Holds(t *testing.T, place target.Target, name string, want []byte) {
	t.Helper()
	r, size, err := place.Open(t.Context(), name)
	if err != nil {
		t.Error(name, err)
		return
	}
	got, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, want) || size != int64(len(want)) {
		t.Errorf("%s: %d bytes of %d, said to be %d, %v", name, len(got), len(want), size, err)
	}
	if o, err := place.Stat(t.Context(), name); err != nil || o.Size != size || o.Name != name || o.Modified.IsZero() {
		t.Error(o, err)
	}
}

// Names lists the names that begin so.
func Names(t *testing.T, place target.Target, prefix string) []string {
	t.Helper()
	all, err := place.List(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, o := range all {
		names = append(names, o.Name)
	}
	return names
}

// Fails requires an error with a code.
func Fails(t *testing.T, err error, code continuity.Code) {
	t.Helper()
	if continuity.CodeOf(err) != code || err == nil {
		t.Errorf("%v (%s), want %s", err, continuity.CodeOf(err), code)
	}
}

// MayOnlyRead requires a place whose identity may not write to say so, and to leave alone
// what is there.
func MayOnlyRead(t *testing.T, place target.Target, name string, content []byte) {
	t.Helper()
	Fails(t, place.Delete(t.Context(), name), continuity.CodeForbidden)
	Fails(t, place.Put(t.Context(), name, bytes.NewReader([]byte("other"))), continuity.CodeForbidden)
	Holds(t, place, name, content)
}

// Vanished requires a place whose folder went away to say so of everything: a disk that is
// not mounted is no place without files, and what is put there would fill another one.
func Vanished(t *testing.T, place target.Target) {
	t.Helper()
	ctx := t.Context()
	Fails(t, place.Put(ctx, "a/b", bytes.NewReader([]byte("x"))), continuity.CodeUnreachable)
	_, _, err := place.Open(ctx, "a/b")
	Fails(t, err, continuity.CodeUnreachable)
	_, err = place.Stat(ctx, "a/b")
	Fails(t, err, continuity.CodeUnreachable)
	Fails(t, place.Delete(ctx, "a/b"), continuity.CodeUnreachable)
	for _, prefix := range []string{"", "a/"} {
		all, err := place.List(ctx, prefix)
		Fails(t, err, continuity.CodeUnreachable)
		if len(all) > 0 {
			t.Error(all)
		}
	}
	_, err = place.Sweep(ctx, 0)
	Fails(t, err, continuity.CodeUnreachable)
}

func whole(t *testing.T, place, again target.Target) {
	ctx := t.Context()
	const name = "shop/orders/20261120-orders-full-030000-abcdefghij.bak"
	for i, size := range []int{0, 1, 1<<20 - 1, 1 << 20, 1<<20 + 1, 40 << 20, 3} { // the last one is shorter than what it replaces
		content := Noise(uint64(i), size) // #nosec G115 -- small
		if err := place.Put(ctx, name, bytes.NewReader(content)); err != nil {
			t.Fatal(size, err)
		}
		Holds(t, again, name, content)
	}
	if err := place.Put(ctx, name+".manifest", bytes.NewReader([]byte("m"))); err != nil {
		t.Fatal(err)
	}
	if got := Names(t, again, "shop/orders/"); !slices.Equal(got, []string{name, name + ".manifest"}) {
		t.Error(got)
	}
	if err := place.Delete(ctx, name); err != nil {
		t.Error(err)
	}
	_, _, err := again.Open(ctx, name)
	Fails(t, err, continuity.CodeNotFound)
	_, err = again.Stat(ctx, name)
	Fails(t, err, continuity.CodeNotFound)
	Fails(t, again.Delete(ctx, name), continuity.CodeNotFound)
	Holds(t, again, name+".manifest", []byte("m"))
}

// broken fails after so many bytes.
type broken struct {
	left int
	err  error
}

func (b *broken) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, b.err
	}
	n := min(len(p), b.left)
	b.left -= n
	return n, nil
}

func half(t *testing.T, place, again target.Target) {
	const name = "shop/half/a.bak"
	for _, failure := range []error{errors.New("the source broke"), io.ErrUnexpectedEOF, io.ErrClosedPipe} {
		for _, after := range []int{0, 100, 2 << 20, 34 << 20} {
			if err := place.Put(t.Context(), name, &broken{after, failure}); !errors.Is(err, failure) {
				t.Errorf("after %d bytes: %v, want %v", after, err, failure)
			}
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	err := place.Put(ctx, name, readerFunc(func(p []byte) (int, error) {
		cancel(enough)
		return len(p), nil
	}))
	if !errors.Is(err, enough) && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if got := Names(t, again, ""); slices.Contains(got, name) {
		t.Error("half a file was published: ", got)
	}
	if _, err := place.Sweep(t.Context(), 0); err != nil {
		t.Error(err)
	}
	// What was there stays.
	if err := place.Put(t.Context(), name, bytes.NewReader([]byte("old"))); err != nil {
		t.Fatal(err)
	}
	if err := place.Put(t.Context(), name, &broken{2 << 20, io.ErrUnexpectedEOF}); err == nil {
		t.Error("half a file was put")
	}
	Holds(t, again, name, []byte("old"))
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func names(t *testing.T, place target.Target) {
	ctx := t.Context()
	for _, name := range []string{"", "/etc/passwd", "../a", "a/../b", "a/..", "a//b", "a/", "./a", "a/.tmp-b", ".tmp-x", "a\x00b", "a\\b", "a b", "ä", "C:a", string(bytes.Repeat([]byte("a"), 600))} {
		Fails(t, place.Put(ctx, name, bytes.NewReader(nil)), continuity.CodeInvalid)
		_, _, err := place.Open(ctx, name)
		Fails(t, err, continuity.CodeInvalid)
		_, err = place.Stat(ctx, name)
		Fails(t, err, continuity.CodeInvalid)
		Fails(t, place.Delete(ctx, name), continuity.CodeInvalid)
	}
	for _, prefix := range []string{"/", "..", "../", "a/../", "a//"} {
		_, err := place.List(ctx, prefix)
		Fails(t, err, continuity.CodeInvalid)
	}
}

func atOnce(t *testing.T, place, again target.Target) {
	var all sync.WaitGroup
	const writers, each = 6, 5
	for w := range writers {
		all.Go(func() {
			for i := range each {
				name := fmt.Sprintf("shop/w%d/%d.bak", w, i)
				if err := place.Put(t.Context(), name, bytes.NewReader(Noise(uint64(w*100+i), 200_000))); err != nil { // #nosec G115 -- small
					t.Error(err)
				}
				same := bytes.Repeat([]byte{byte(w)}, 300_000)
				if err := place.Put(t.Context(), "shop/same.bak", bytes.NewReader(same)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for w := range writers {
		for i := range each {
			Holds(t, again, fmt.Sprintf("shop/w%d/%d.bak", w, i), Noise(uint64(w*100+i), 200_000)) // #nosec G115 -- small
		}
	}
	r, _, err := again.Open(t.Context(), "shop/same.bak")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil || len(got) != 300_000 || len(bytes.Trim(got, string(got[:1]))) > 0 {
		t.Error("what several wrote is nobody's: ", len(got), err)
	}
}

// many is more names than one answer of S3 holds.
func many(t *testing.T, place target.Target) {
	const n = 1100
	var all sync.WaitGroup
	for half := range 4 {
		all.Go(func() {
			for i := half; i < n; i += 4 {
				if err := place.Put(t.Context(), fmt.Sprintf("many/set/%04d.bak", i), bytes.NewReader([]byte("x"))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if got := Names(t, place, "many/"); len(got) != n || !slices.IsSorted(got) || got[0] != "many/set/0000.bak" {
		t.Error(len(got))
	}
	if got := Names(t, place, "many/set/00"); len(got) != 100 {
		t.Error(len(got))
	}
	if got := Names(t, place, "nothing/here"); len(got) != 0 {
		t.Error(got)
	}
}
