package evidence_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/evidence"
)

var began = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// chain is a chain of events, of which every second one is an incident's.
func chain(bodies ...string) (all []continuity.AuditEvent) {
	var prev [32]byte
	for i, body := range bodies {
		e := continuity.AuditEvent{
			Seq: int64(i + 7), At: began.Add(time.Duration(i) * time.Second), Actor: continuity.Actor{Kind: "user", ID: "li.wei", Via: "api"},
			Action: "incident.told", Kind: "incident", ID: "orders-2026-1", Service: "orders", Reason: "called 13800138000", After: json.RawMessage(body), Prev: prev,
		}
		if i > 0 {
			e.Reason, e.Before = "", json.RawMessage(bodies[i-1])
		}
		e.Salt[0] = byte(i)
		e.Seal()
		prev = e.Hash
		all = append(all, e)
	}
	return all
}

func sample() *evidence.Case {
	all := chain(`{"n":1,"text":"a <b> & c"}`, `{"other":true}`, `{"to":[{"kind":"address","address":"someone@private.example"}]}`, `{"text":"call li.wei@example.com"}`, `{"n":5}`, `{"n":6}`)
	c := &evidence.Case{
		Incident: "orders-2026-1", Service: "orders", Made: began.Add(time.Hour), By: all[0].Actor, Node: "control-1", Program: "1.0",
		Objects: []continuity.Object{{Kind: "incident", ID: "orders-2026-1", Service: "orders", Version: 11, Updated: began, Body: json.RawMessage(`{"n":5,"phone":"13800138000"}`)}},
		Hidden:  []string{"13800138000", "li.wei@example.com", "x"},
	}
	for i := range all {
		c.Links = append(c.Links, evidence.LinkOf(&all[i]))
		if i != 1 {
			c.Events = append(c.Events, all[i])
		}
	}
	return c
}

func wantCode(t *testing.T, what string, err error) {
	t.Helper()
	if continuity.CodeOf(err) != continuity.CodeEvidence {
		t.Errorf("%s: %v", what, err)
	}
}

// TestAnyChangeIsFound changes each byte of a file in turn, cuts it off and adds to
// it; and has it sealed by another key.
func TestAnyChangeIsFound(t *testing.T) {
	key, err := evidence.Key(filepath.Join(t.TempDir(), "evidence.key"))
	if err != nil {
		t.Fatal(err)
	}
	sealed, sum, err := evidence.Seal(sample(), key)
	if err != nil {
		t.Fatal(err)
	}
	r, err := evidence.Verify(sealed, "")
	if err != nil || r.Incident != "orders-2026-1" || r.Events != 5 || r.Objects != 1 || !r.Whole || r.First != 7 || r.Last != 12 || r.Sum != sum || r.Masked != 4 {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := evidence.Verify(sealed, strings.ToUpper(r.Key)); err != nil {
		t.Error(err)
	}
	for i := range sealed {
		sealed[i] ^= 1 << (i % 8)
		if _, err := evidence.Verify(sealed, ""); continuity.CodeOf(err) != continuity.CodeEvidence {
			t.Fatalf("byte %d of %d: %v", i, len(sealed), err)
		}
		sealed[i] ^= 1 << (i % 8)
	}
	for _, cut := range []int{0, 1, 100, len(sealed) - 1} {
		_, err := evidence.Verify(sealed[:cut], "")
		wantCode(t, "cut off", err)
	}
	_, err = evidence.Verify(append(bytes.Clone(sealed), 0), "")
	wantCode(t, "longer", err)
	_, err = evidence.Verify(append([]byte{0}, sealed...), "")
	wantCode(t, "shifted", err)

	other, err := evidence.Key(filepath.Join(t.TempDir(), "evidence.key"))
	if err != nil {
		t.Fatal(err)
	}
	forged := sample()
	forged.Objects[0].Body = json.RawMessage(`{"n":6}`)
	again, _, err := evidence.Seal(forged, other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.Verify(again, ""); err != nil {
		t.Error(err)
	}
	_, err = evidence.Verify(again, r.Key)
	wantCode(t, "another's key", err)
}

// TestEventsThatNeverWereAreFound has the holder of the key make up an event, and
// leave a link out.
func TestEventsThatNeverWereAreFound(t *testing.T) {
	key, err := evidence.Key(filepath.Join(t.TempDir(), "evidence.key"))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*evidence.Case){
		"content":      func(c *evidence.Case) { c.Events[4].After = json.RawMessage(`{"n":7}`) },
		"who":          func(c *evidence.Case) { c.Events[4].Actor.ID = "zhang.min" },
		"masked's who": func(c *evidence.Case) { c.Events[2].Actor.ID = "zhang.min" },
		"hash":         func(c *evidence.Case) { c.Events[4].Hash[0]++ },
		"link":         func(c *evidence.Case) { c.Links[1].Hash[0]++ },
		"gap":          func(c *evidence.Case) { c.Links = append(c.Links[:1:1], c.Links[2:]...) },
		"order":        func(c *evidence.Case) { c.Events[0], c.Events[1] = c.Events[1], c.Events[0] },
	} {
		c := sample()
		change(c)
		sealed, _, err := evidence.Seal(c, key)
		if err != nil {
			t.Fatal(err)
		}
		_, err = evidence.Verify(sealed, "")
		wantCode(t, name, err)
	}
	c := sample() // what did not fit is said
	c.Links = c.Links[:2]
	sealed, _, err := evidence.Seal(c, key)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := evidence.Verify(sealed, ""); err != nil || r.Whole {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestPeoplesAddressesAreMasked looks for them in the whole file.
func TestPeoplesAddressesAreMasked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "evidence.key")
	key, err := evidence.Key(path)
	if err != nil {
		t.Fatal(err)
	}
	sealed, _, err := evidence.Seal(sample(), key)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"13800138000", "li.wei@example.com", "someone@private.example"} {
		if bytes.Contains(sealed, []byte(address)) {
			t.Errorf("%s stands in the file", address)
		}
	}
	for _, kept := range []string{"l***@example.com", "1***00", "s***@private.example", "a <b> & c", `"li.wei"`} {
		if !bytes.Contains(sealed, []byte(kept)) {
			t.Errorf("%s is missing", kept)
		}
	}
	r, err := zip.NewReader(bytes.NewReader(sealed), int64(len(sealed)))
	if err != nil {
		t.Fatal(err)
	}
	in, err := r.Open("README.txt")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(in)
	if err != nil || !strings.Contains(string(text), "封存证据") {
		t.Errorf("%s, %v", text, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	again, err := evidence.Key(path)
	if err != nil || !again.Equal(key) {
		t.Error(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := evidence.Key(path); err == nil {
		t.Error("a key that others can read is used")
	}
}
