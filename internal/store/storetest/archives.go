package storetest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/store"
)

// Fill makes state of every sort.
func Fill(t testing.TB, s *store.Store) {
	t.Helper()
	for i := range 5 {
		apply(t, s, create("check", fmt.Sprint(i), "shop", fmt.Sprintf(`{"n":%d,"html":"<a&b>\u2028","zh":"中文"}`, i)))
	}
	apply(t, s, create("null", "null", "", `null`))
	apply(t, s, continuity.Change{Kind: "check", ID: "1", Version: -1, Action: "check.deleted"})
	apply(t, s, continuity.Change{Kind: "check", ID: "2", Version: -1, Body: json.RawMessage(`[]`), Action: "check.changed"})
	apply(t, s, create("person", "li", "", `{"name":"李"}`))
	if err := s.Erase(t.Context(), ann, "person", "li", "asked for"); err != nil {
		t.Fatal(err)
	}
	if err := s.Schedule(t.Context(), timer("a", Start), continuity.Timer{ID: "b", Kind: "bare", Due: Start}); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := s.Claim(t.Context(), "n1", Start, 1<<40); !ok || err != nil {
		t.Fatal(ok, err)
	}
}

// Exported returns the archive of all state.
func Exported(t testing.TB, s *store.Store) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Export(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func archiveReturns(t *testing.T, fresh func(testing.TB) string) {
	s := Open(t, fresh(t))
	empty := Exported(t, s)
	Fill(t, s)
	archive := Exported(t, s)
	if !bytes.Equal(archive, Exported(t, s)) {
		t.Fatal("the same state gave other bytes")
	}
	for name, archive := range map[string][]byte{"filled": archive, "empty": empty} {
		other := Open(t, fresh(t))
		if err := other.Restore(t.Context(), bytes.NewReader(archive)); err != nil {
			t.Fatal(name, err)
		}
		if got := Exported(t, other); !bytes.Equal(got, archive) {
			t.Fatalf("%s: restored and exported again:\n%s\nwant\n%s", name, got, archive)
		}
		if name == "empty" {
			continue
		}
		n, head, err := s.LastEvent(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if tried, err := store.Try(t.Context(), dir, bytes.NewReader(archive)); err != nil || tried.Events != n || tried.Head != hex.EncodeToString(head[:]) || tried.Objects == 0 {
			t.Errorf("%+v, %v; want %d events to %x", tried, err, n, head)
		}
		if _, err := store.Try(t.Context(), dir, bytes.NewReader(archive[:len(archive)/2])); continuity.CodeOf(err) != continuity.CodeArchive {
			t.Error(err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		apply(t, other, create("check", "1", "", `1`)) // the chain goes on
		verified(t, other, n+1)
		wantCode(t, other.Restore(t.Context(), bytes.NewReader(archive)), continuity.CodeState)
		// A node that held a timer before holds it no more once others claimed it.
		if _, ok, err := other.Claim(t.Context(), "n2", Start, 1); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
}

// archiveDamaged damages an archive in many ways: each is refused, and the
// database stays as empty as it was.
func archiveDamaged(t *testing.T, fresh func(testing.TB) string) {
	s := Open(t, fresh(t))
	Fill(t, s)
	archive := Exported(t, s)
	target := Open(t, fresh(t))
	empty := Exported(t, target)
	refused := func(name string, damaged []byte) {
		t.Helper()
		if bytes.Equal(damaged, archive) {
			t.Fatal(name, "changes nothing")
		}
		if err := target.Restore(t.Context(), bytes.NewReader(damaged)); continuity.CodeOf(err) != continuity.CodeArchive {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(Exported(t, target), empty) {
			t.Fatal(name, "changed the database")
		}
	}
	rows := strings.SplitAfter(string(archive), "\n")
	rows = rows[:len(rows)-1]
	refused("nothing", nil)
	refused("something else", []byte("{}\n"))
	refused("more", append(bytes.Clone(archive), '\n'))
	refused("another format", bytes.Replace(archive, []byte(`"format":1`), []byte(`"format":2`), 1))
	for i := range rows {
		refused(fmt.Sprint("without line ", i), []byte(strings.Join(append(append([]string{}, rows[:i]...), rows[i+1:]...), "")))
		refused(fmt.Sprint("ends at line ", i), []byte(strings.Join(rows[:i], "")))
		refused(fmt.Sprint("line doubled: ", i), []byte(strings.Join(append(append([]string{}, rows[:i+1]...), rows[i:]...), "")))
		if i > 0 {
			swapped := append([]string{}, rows...)
			swapped[i], swapped[i-1] = swapped[i-1], swapped[i]
			refused(fmt.Sprint("lines swapped at ", i), []byte(strings.Join(swapped, "")))
		}
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for range 15 {
		damaged := bytes.Clone(archive)
		at := random.IntN(len(damaged))
		damaged[at] ^= 1 << random.IntN(7)
		refused(fmt.Sprintf("seed %d, byte %d", seed, at), damaged)
	}
	if err := target.Restore(t.Context(), bytes.NewReader(archive)); err != nil {
		t.Fatal(err)
	}
}
