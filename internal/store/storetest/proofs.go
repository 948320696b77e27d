package storetest

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"holdfast/internal/continuity"
)

// proofs are kept with their object, and no event bears them.
func proofs(t *testing.T, fresh func(testing.TB) string) {
	s := Open(t, fresh(t))
	change := create("user", "li", "", `{"role":"viewer"}`)
	change.Proof = "hash-one"
	made := apply(t, s, change)[0]
	proof := func(want string) {
		t.Helper()
		o, hash, err := s.Proof(t.Context(), "user", "li")
		if err != nil || hash != want || o.ID != "li" || o.Version == 0 {
			t.Fatal(o, hash, err)
		}
	}
	proof("hash-one")
	edit := continuity.Change{Kind: "user", ID: "li", Version: made.Version, Body: json.RawMessage(`{"role":"admin"}`), Action: "user.role"}
	made = apply(t, s, edit)[0]
	proof("hash-one") // as it was
	edit.Proof = "hash-lost"
	_, err := s.Apply(t.Context(), ann, []continuity.Change{edit})
	wantCode(t, err, continuity.CodeVersion)
	proof("hash-one")
	edit.Version, edit.Proof = made.Version, "hash-two"
	made = apply(t, s, edit)[0]
	proof("hash-two")

	events, _, err := s.Events(t.Context(), continuity.EventQuery{})
	if err != nil || len(events) != 3 {
		t.Fatal(len(events), err)
	}
	for _, e := range events {
		if b, _ := json.Marshal(e); bytes.Contains(b, []byte("hash-")) {
			t.Errorf("an event bears a proof: %s", b)
		}
	}
	archive := Exported(t, s)
	other := Open(t, fresh(t))
	if err := other.Restore(t.Context(), bytes.NewReader(archive)); err != nil {
		t.Fatal(err)
	}
	if _, hash, err := other.Proof(t.Context(), "user", "li"); err != nil || hash != "hash-two" {
		t.Fatal(hash, err)
	}

	for _, at := range []time.Time{Start.Add(time.Hour), Start} { // time that goes back is no news
		if err := s.Saw(t.Context(), "user", "li", at); err != nil {
			t.Fatal(err)
		}
	}
	if at, err := s.Seen(t.Context(), "user", "li"); err != nil || !at.Equal(Start.Add(time.Hour)) {
		t.Fatal(at, err)
	}
	if err := s.Saw(t.Context(), "user", "nobody", Start); err != nil {
		t.Fatal(err)
	}
	if at, err := s.Seen(t.Context(), "user", "nobody"); err != nil || !at.IsZero() {
		t.Fatal(at, err)
	}
	if !bytes.Equal(Exported(t, s), archive) {
		t.Fatal("what was seen is in the archive")
	}

	apply(t, s, continuity.Change{Kind: "user", ID: "li", Version: made.Version, Action: "user.removed"})
	apply(t, s, create("user", "li", "", `{"role":"viewer"}`))
	proof("")
	if at, err := s.Seen(t.Context(), "user", "li"); err != nil || !at.IsZero() {
		t.Fatal(at, err)
	}
	verified(t, s, 5)
}
