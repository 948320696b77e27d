package folder_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/backup"
	"holdfast/internal/backup/folder"
	"holdfast/internal/backup/records"
	"holdfast/internal/continuity"
)

// forged is a stream as somebody would write it who has the keys and means harm.
type forged struct {
	t   testing.TB
	out bytes.Buffer
	w   *records.Writer
}

func forge(t testing.TB, from, to string) *forged {
	t.Helper()
	f := &forged{t: t}
	var err error
	if f.w, err = records.NewWriter(&f.out, "HFFOLDER 1"); err != nil {
		t.Fatal(err)
	}
	kind := "full"
	h := map[string]any{"type": kind, "To": map[string]string{"at": to}}
	if from != "" {
		h["type"], h["From"] = "delta", map[string]string{"at": from}
	}
	return f.put('h', h)
}

func (f *forged) put(kind byte, v any) *forged {
	f.t.Helper()
	if err := f.w.PutJSON(kind, v); err != nil {
		f.t.Fatal(err)
	}
	return f
}

func named(kind byte, path string, more map[string]any) map[string]any {
	e := map[string]any{"p": []byte(path), "k": kind, "m": 0o700}
	for k, v := range more {
		e[k] = v
	}
	return e
}

func (f *forged) folder(path string) *forged { return f.put('d', named('d', path, nil)) }

func (f *forged) link(path, to string) *forged {
	return f.put('l', named('l', path, map[string]any{"l": []byte(to)}))
}

func (f *forged) file(path, content string) *forged {
	sum := sha256.Sum256([]byte(content))
	f.put('f', named('f', path, nil))
	if err := f.w.Put('c', []byte(content)); err != nil {
		f.t.Fatal(err)
	}
	return f.put('e', named('f', path, map[string]any{"s": len(content), "h": sum[:]}))
}

func (f *forged) deleted(path string) *forged { return f.put('x', []byte(path)) }

func (f *forged) end() []byte {
	f.put('t', map[string]int{})
	if err := f.w.Close(); err != nil {
		f.t.Fatal(err)
	}
	return f.out.Bytes()
}

func forgedPiece(id, kind, from, to string, content []byte) backup.Piece {
	return piece(id, "", kind, backup.Captured{From: backup.Position{At: from}, To: backup.Position{At: to}}, content)
}

// No stream, whoever wrote it, changes anything outside the folder it is restored to.
func TestNothingIsRestoredOutside(t *testing.T) {
	d, err := folder.New(folder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func(victim string) [][]byte{
		"parent":            func(string) [][]byte { return one(forge(t, "", "1").file("../victim/x", "x")) },
		"parent within":     func(string) [][]byte { return one(forge(t, "", "1").folder("a").file("a/../../victim/x", "x")) },
		"absolute":          func(v string) [][]byte { return one(forge(t, "", "1").file(v+"/x", "x")) },
		"dot":               func(string) [][]byte { return one(forge(t, "", "1").file(".", "x")) },
		"dot within":        func(string) [][]byte { return one(forge(t, "", "1").folder("a").file("a/./x", "x")) },
		"empty":             func(string) [][]byte { return one(forge(t, "", "1").file("", "x")) },
		"empty part":        func(string) [][]byte { return one(forge(t, "", "1").folder("a").file("a//x", "x")) },
		"slash at the end":  func(string) [][]byte { return one(forge(t, "", "1").folder("a/")) },
		"nul":               func(string) [][]byte { return one(forge(t, "", "1").file("a\x00b", "x")) },
		"huge name":         func(string) [][]byte { return one(forge(t, "", "1").file(strings.Repeat("n", 256), "x")) },
		"huge path":         func(string) [][]byte { return one(forge(t, "", "1").file(strings.Repeat("n/", 2100)+"n", "x")) },
		"through a link":    func(v string) [][]byte { return one(forge(t, "", "1").link("a", v).file("a/x", "x")) },
		"folder at a link":  func(v string) [][]byte { return one(forge(t, "", "1").link("a", v).folder("a")) },
		"file at a link":    func(v string) [][]byte { return one(forge(t, "", "1").link("a", v+"/kept").file("a", "x")) },
		"link for a folder": func(v string) [][]byte { return one(forge(t, "", "1").folder("a").link("a", v).file("a/x", "x")) },
		"doubled file":      func(string) [][]byte { return one(forge(t, "", "1").file("a", "x").file("a", "y")) },
		"out of order":      func(string) [][]byte { return one(forge(t, "", "1").file("b", "x").file("a", "y")) },
		"in no folder":      func(string) [][]byte { return one(forge(t, "", "1").file("a/b", "x")) },
		"in a file":         func(string) [][]byte { return one(forge(t, "", "1").file("a", "x").file("a/b", "x")) },
		"device":            func(string) [][]byte { return one(forge(t, "", "1").put('b', named('b', "a", nil))) },
		"two kinds":         func(string) [][]byte { return one(forge(t, "", "1").put('d', named('l', "a", nil))) },
		"other content": func(string) [][]byte {
			return one(forge(t, "", "1").put('f', named('f', "a", nil)).put('e', named('f', "a", map[string]any{"s": 1})))
		},
		"other file's end": func(string) [][]byte {
			return one(forge(t, "", "1").put('f', named('f', "a", nil)).put('e', named('f', "b", nil)))
		},
		"no end of a file":  func(string) [][]byte { return one(forge(t, "", "1").put('f', named('f', "a", nil))) },
		"content of none":   func(string) [][]byte { return one(forge(t, "", "1").put('c', "x")) },
		"behind the totals": func(string) [][]byte { return one(forge(t, "", "1").put('t', map[string]int{}).file("a", "x")) },
		"delete outside": func(string) [][]byte {
			return [][]byte{forge(t, "", "1").end(), forge(t, "1", "2").deleted("../victim").end()}
		},
		"delete through a link": func(v string) [][]byte {
			return [][]byte{forge(t, "", "1").link("a", v).end(), forge(t, "1", "2").deleted("a/kept").end()}
		},
		"delete nothing": func(string) [][]byte {
			return [][]byte{forge(t, "", "1").end(), forge(t, "1", "2").deleted("a").end()}
		},
		"delete all": func(string) [][]byte {
			return [][]byte{forge(t, "", "1").end(), forge(t, "1", "2").deleted("").end()}
		},
		"through a link of before": func(v string) [][]byte {
			return [][]byte{forge(t, "", "1").link("a", v).end(), forge(t, "1", "2").file("a/x", "x").end()}
		},
		"two full ones":       func(string) [][]byte { return [][]byte{forge(t, "", "1").end(), forge(t, "", "2").end()} },
		"a delta alone":       func(string) [][]byte { return one(forge(t, "1", "2")) },
		"a delta of another":  func(string) [][]byte { return [][]byte{forge(t, "", "1").end(), forge(t, "9", "2").end()} },
		"unreadable totals":   func(string) [][]byte { return one(forge(t, "", "1").put('t', 0)) },
		"cut":                 func(string) [][]byte { b := forge(t, "", "1").file("a", "x").end(); return [][]byte{b[:len(b)-1]} },
		"of another kind":     func(string) [][]byte { return [][]byte{[]byte("HFSQLITE 1\n")} },
		"an unreadable entry": func(string) [][]byte { return one(forge(t, "", "1").put('f', json.RawMessage(`"x"`))) },
	} {
		t.Run(name, func(t *testing.T) {
			outside := t.TempDir()
			victim, dir := filepath.Join(outside, "victim"), filepath.Join(outside, "scratch")
			for _, d := range []string{victim, dir} {
				if err := os.Mkdir(d, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			put(t, filepath.Join(victim, "kept"), "kept")
			before := tree(t, victim)
			var pieces []backup.Piece
			for i, content := range make(victim) {
				kind, from := backup.TypeFull, ""
				if i > 0 {
					kind, from = backup.TypeDelta, fmt.Sprint(i)
				}
				pieces = append(pieces, forgedPiece(fmt.Sprint("p", i), kind, from, fmt.Sprint(i+1), content))
			}
			i, err := d.Restore(t.Context(), backup.Restore{Pieces: pieces, Dir: dir})
			if code := continuity.CodeOf(err); code != continuity.CodeBackupPiece || i != nil {
				t.Errorf("restored: %v", err)
			}
			sameTree(t, tree(t, victim), before)
			left, err := os.ReadDir(outside)
			if err != nil || len(left) != 2 {
				t.Errorf("outside there is %v, %v", left, err)
			}
		})
	}
}

func one(f *forged) [][]byte { return [][]byte{f.end()} }

// A link that leads outside is a text like any other, and so are its modes left alone.
func TestALinkOutsideIsKeptAsItIs(t *testing.T) {
	outside := t.TempDir()
	put(t, filepath.Join(outside, "kept"), "kept")
	before := tree(t, outside)
	content := forge(t, "", "1").link("a", outside).link("b", "../../kept").end()
	i := restore(t, backup.Restore{Pieces: []backup.Piece{forgedPiece("p", backup.TypeFull, "", "1", content)}})
	if got, err := os.Readlink(filepath.Join(i.Address(), "a")); got != outside || err != nil {
		t.Errorf("a leads to %q, %v", got, err)
	}
	sameTree(t, tree(t, outside), before)
}
