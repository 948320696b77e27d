package backupfile_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/backup"
	"holdfast/internal/backupfile"
	"holdfast/internal/backupkey"
	"holdfast/internal/continuity"
)

const segment = 1 << 20

// kept is a file that was written, as what it is.
type kept struct {
	bound backupfile.Bound
	plain []byte
	file  []byte
}

// mutation makes of a file, or of it and another one, something that neither is.
type mutation struct {
	name string
	make func(r *rand.Rand, file, other []byte) []byte
}

var mutations = []mutation{
	{"flipped", func(r *rand.Rand, file, _ []byte) []byte {
		out := bytes.Clone(file)
		out[r.IntN(len(out))] ^= 1 << r.IntN(8)
		return out
	}},
	{"flipped in its head", func(r *rand.Rand, file, _ []byte) []byte {
		out := bytes.Clone(file)
		out[r.IntN(headerBytes)] ^= 1 << r.IntN(8)
		return out
	}},
	{"overwritten", func(r *rand.Rand, file, _ []byte) []byte {
		out := bytes.Clone(file)
		at := r.IntN(len(out))
		for i := at; i < min(len(out), at+1+r.IntN(5000)); i++ {
			out[i] ^= byte(1 + r.IntN(255))
		}
		return out
	}},
	{"cut", func(r *rand.Rand, file, _ []byte) []byte { return file[:r.IntN(len(file))] }},
	{"cut at a segment", func(r *rand.Rand, file, _ []byte) []byte {
		return file[:headerBytes-40+segment*r.IntN(1+(len(file)-headerBytes)/segment)]
	}},
	{"cut in the middle", func(r *rand.Rand, file, _ []byte) []byte {
		from := r.IntN(len(file))
		to := from + 1 + r.IntN(len(file)-from)
		return append(bytes.Clone(file[:from]), file[to:]...)
	}},
	{"with segments in another order", func(r *rand.Rand, file, _ []byte) []byte {
		head, segments := split(file)
		if len(segments) < 2 {
			return append(bytes.Clone(file), file[headerBytes:]...)
		}
		i := r.IntN(len(segments) - 1)
		j := i + 1 + r.IntN(len(segments)-i-1)
		segments[i], segments[j] = segments[j], segments[i]
		return join(head, segments)
	}},
	{"with a segment twice", func(r *rand.Rand, file, _ []byte) []byte {
		head, segments := split(file)
		i := r.IntN(len(segments))
		return join(head, append(segments[:i:i], append([][]byte{segments[i]}, segments[i:]...)...))
	}},
	{"without a segment", func(r *rand.Rand, file, _ []byte) []byte {
		head, segments := split(file)
		i := r.IntN(len(segments))
		return join(head, append(segments[:i:i], segments[i+1:]...))
	}},
	{"with another's segment", func(r *rand.Rand, file, other []byte) []byte {
		head, segments := split(file)
		_, foreign := split(other)
		i := r.IntN(len(segments))
		segments[i] = foreign[min(i, len(foreign)-1)]
		return join(head, segments)
	}},
	{"spliced", func(r *rand.Rand, file, other []byte) []byte {
		at := 1 + r.IntN(min(len(file), len(other))-1)
		return append(bytes.Clone(file[:at]), other[at:]...)
	}},
	{"with its head on another's body", func(_ *rand.Rand, file, other []byte) []byte {
		return append(bytes.Clone(file[:headerBytes-40]), other[headerBytes-40:]...)
	}},
	{"with its head and salt on another's body", func(_ *rand.Rand, file, other []byte) []byte {
		return append(bytes.Clone(file[:headerBytes]), other[headerBytes:]...)
	}},
	{"another", func(_ *rand.Rand, _, other []byte) []byte { return other }},
	{"longer", func(r *rand.Rand, file, _ []byte) []byte {
		out := bytes.Clone(file)
		for range 1 + r.IntN(100) {
			out = append(out, byte(r.Uint32()))
		}
		return out
	}},
	{"twice", func(_ *rand.Rand, file, _ []byte) []byte { return append(bytes.Clone(file), file...) }},
	{"with bytes of nothing", func(r *rand.Rand, file, _ []byte) []byte {
		at := r.IntN(len(file))
		out := append(bytes.Clone(file[:at]), make([]byte, 1+r.IntN(4096))...)
		return append(out, file[at:]...)
	}},
}

// split takes a file apart as the cipher does: the first segment shares its place with
// the cipher's own head.
func split(file []byte) (head []byte, segments [][]byte) {
	head, rest := bytes.Clone(file[:headerBytes]), file[headerBytes:]
	for size := segment - 40; len(rest) > size; size = segment {
		segments, rest = append(segments, rest[:size]), rest[size:]
	}
	return head, append(segments, rest)
}

func join(head []byte, segments [][]byte) []byte {
	return append(head, bytes.Join(segments, nil)...)
}

// TestMutatedFilesAreRejected makes of files of several sizes, some under one key and
// some under another of the same ring, what they are not. No reader may come to an end
// of any, nor give out a byte that was not in the file that was asked for.
func TestMutatedFilesAreRejected(t *testing.T) {
	r, keys := random(t), ring(t)
	var files []kept
	for i, size := range []int{0, 1, 1000, 500_000, 3 << 20, 8 << 20, 12 << 20, 12 << 20} {
		if i%3 == 2 {
			if _, err := keys.Rotate(now); err != nil {
				t.Fatal(err)
			}
		}
		one := kept{bound: orders(fmt.Sprint("id", i)), plain: content(r, size)}
		one.file, _ = write(t, keys, one.bound, one.plain)
		files = append(files, one)
	}
	if n := len(files[7].file) / segment; n < 3 {
		t.Fatal("no file of several segments to put in another order")
	}
	made := 0
	for i := 0; made < *cycles; i++ {
		how := mutations[i%len(mutations)]
		of, other := r.IntN(len(files)), r.IntN(len(files)-1)
		if other >= of {
			other++
		}
		file := how.make(r, files[of].file, files[other].file)
		if bytes.Equal(file, files[of].file) {
			continue
		}
		made++
		got, err := read(keys, files[of].bound, bytes.NewReader(file))
		if code := continuity.CodeOf(err); code != continuity.CodeBackupPiece && code != continuity.CodeNoKey {
			t.Fatalf("file %d %s (with %d): %d bytes, %v", of, how.name, other, len(got), err)
		}
		if !bytes.HasPrefix(files[of].plain, got) {
			t.Fatalf("file %d %s (with %d): other bytes came out", of, how.name, other)
		}
	}
	for i, one := range files { // they are good otherwise
		if got, err := read(keys, one.bound, bytes.NewReader(one.file)); err != nil || !bytes.Equal(got, one.plain) {
			t.Fatal(i, err)
		}
	}
}

// TestNoBitOfTheHeadIsFree changes each, and cuts at each of its bytes: chance may miss one.
func TestNoBitOfTheHeadIsFree(t *testing.T) {
	r, keys := random(t), ring(t)
	for _, size := range []int{0, 100} {
		plain := content(r, size)
		file, _ := write(t, keys, orders("a"), plain)
		rejected := func(bad []byte, what string, at int) {
			got, err := read(keys, orders("a"), bytes.NewReader(bad))
			if code := continuity.CodeOf(err); code != continuity.CodeBackupPiece && code != continuity.CodeNoKey || len(got) > 0 {
				t.Errorf("%s %d of a file of %d: %d bytes, %v", what, at, size, len(got), err)
			}
		}
		for i := range min(headerBytes, len(file)) {
			for bit := range 8 {
				bad := bytes.Clone(file)
				bad[i] ^= 1 << bit
				rejected(bad, "changed byte", i)
			}
			rejected(file[:i], "cut at byte", i)
		}
	}
}

var manifest = backup.Manifest{
	Format: 1, ID: "abcdefghij", Service: "shop", Set: "orders", Type: backup.TypeFull, Driver: "sqlite", Started: now, Taken: now,
	Versions: map[string]string{"holdfast": "1"}, File: "20261120-orders-full-030000-abcdefghij.bak", Bytes: 1, SHA256: "00", Plain: 3, Key: "k",
	Figures: []backup.Figure{{Of: "orders", Measure: "rows", Value: "3"}},
}

func TestSignedDocuments(t *testing.T) {
	r, keys := random(t), ring(t)
	raw, err := backupfile.SignManifest(manifest, keys)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Rotate(now); err != nil {
		t.Fatal(err)
	}
	same := func(m backup.Manifest) bool {
		a, _ := json.Marshal(m)
		b, _ := json.Marshal(manifest)
		return bytes.Equal(a, b)
	}
	if m, err := backupfile.ReadManifest(raw, keys); err != nil || !same(m) {
		t.Fatal(m, err)
	}
	proof, err := backupfile.SignProof(backup.Proof{Format: 1, Piece: "abcdefghij", Good: true}, keys)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := backupfile.ReadProof(proof, keys); err != nil || !p.Good {
		t.Fatal(p, err)
	}
	body, below, _ := bytes.Cut(raw, []byte("\n"))
	odd, err := backupfile.SignManifest(backup.Manifest{Format: 2}, keys)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"nothing": nil, "no signature": append(bytes.Clone(body), '\n'), "no end": raw[:len(raw)-1], "more": append(bytes.Clone(raw), '\n'),
		"a proof": proof, "a proof's words": bytes.Replace(raw, []byte("\nholdfast backup manifest"), []byte("\nholdfast backup proof"), 1),
		"two bodies": append(append(bytes.Clone(body), '\n'), raw...), "another format": odd,
		"another's signature": append(bytes.Replace(body, []byte(`"3"`), []byte(`"4"`), 1), append([]byte("\n"), below...)...),
	} {
		if m, err := backupfile.ReadManifest(bad, keys); continuity.CodeOf(err) != continuity.CodeBackupPiece {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	if _, err := backupfile.ReadProof(raw, keys); continuity.CodeOf(err) != continuity.CodeBackupPiece {
		t.Error("a manifest was read as a proof:", err)
	}
	if _, err := backupfile.ReadManifest(raw, ring(t)); continuity.CodeOf(err) != continuity.CodeNoKey {
		t.Error("another ring verified it:", err)
	}
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 1 << r.IntN(8)
		if m, err := backupfile.ReadManifest(bad, keys); err == nil {
			t.Errorf("byte %d: %+v", i, m)
		}
	}
}

// golden is what a program of format 1 has written: it stays readable.
func golden(t testing.TB) (keys *backupkey.Ring, file, signed []byte) {
	t.Helper()
	text := func(name string) []byte {
		raw, err := os.ReadFile(filepath.Join("testdata", "format1", name))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	keys, err := backupkey.Unmarshal(text("keys.json"), backupkey.Guard{Passphrase: "for the golden files only"})
	if err != nil {
		t.Fatal(err)
	}
	return keys, text("piece.bak"), text("piece.bak.manifest")
}

const goldenPlain = "id,amount\n1,19.90\n2,5.00\n"

func TestFormat1StaysReadable(t *testing.T) {
	keys, file, signed := golden(t)
	m, err := backupfile.ReadManifest(signed, keys)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := read(keys, backupfile.BoundOf(m), bytes.NewReader(file)); err != nil || string(plain) != goldenPlain || m.Bytes != int64(len(file)) {
		t.Error(string(plain), m.Bytes, err)
	}
}

// FuzzReader looks for bytes that come to an end though they are not the golden file, or
// that harm the reader.
func FuzzReader(f *testing.F) {
	keys, file, signed := golden(f)
	m, err := backupfile.ReadManifest(signed, keys)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Add(file[:len(file)-1])
	f.Add(append(bytes.Clone(file), 0))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := read(keys, backupfile.BoundOf(m), bytes.NewReader(raw)); err == nil && !bytes.Equal(raw, file) {
			t.Error("it came to an end")
		}
	})
}

// FuzzManifest does so for manifests.
func FuzzManifest(f *testing.F) {
	keys, _, signed := golden(f)
	f.Add(signed)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, err := backupfile.ReadManifest(raw, keys); err == nil && !bytes.Equal(raw, signed) {
			t.Error("it was taken for signed")
		}
	})
}
