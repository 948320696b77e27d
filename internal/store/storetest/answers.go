package storetest

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/continuity"
)

// answersOnce: of those who begin the same request at once, one is the first; its
// end is what the others learn, and it is in no export.
func answersOnce(t *testing.T, fresh func(testing.TB) string) {
	s := Open(t, fresh(t))
	begin := func(at time.Time) (continuity.APIAnswer, bool) {
		a := continuity.APIAnswer{Caller: "user:ann", Key: "k", Request: [32]byte{1}, Begun: at, Until: at.Add(time.Minute)}
		known, first, err := s.BeginAnswer(t.Context(), a, at.Add(-24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		return known, first
	}
	var firsts atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, first := begin(Start); first {
				firsts.Add(1)
			}
		})
	}
	all.Wait()
	if n := firsts.Load(); n != 1 {
		t.Fatalf("%d were the first", n)
	}
	ended, _ := begin(Start)
	if ended.Ended || !ended.Until.Equal(Start.Add(time.Minute)) || ended.Request != [32]byte{1} {
		t.Fatal(ended)
	}
	ended.Status, ended.Type, ended.ETag, ended.Place, ended.Body = 201, "application/json", `"7"`, "/api/v1/things/a", []byte("{}")
	if err := s.EndAnswer(t.Context(), ended); err != nil {
		t.Fatal(err)
	}
	known, first := begin(Start.Add(time.Hour))
	if first || !known.Ended || known.Status != 201 || string(known.Body) != "{}" || known.ETag != `"7"` || known.Place != "/api/v1/things/a" {
		t.Fatal(known, first)
	}
	var archive bytes.Buffer
	if err := s.Export(t.Context(), &archive); err != nil || bytes.Contains(archive.Bytes(), []byte("ann")) {
		t.Fatal(archive.String(), err)
	}
	later, first := begin(Start.Add(25 * time.Hour))
	if !first {
		t.Fatal("a day later it is another request's name")
	}
	if err := s.DropAnswer(t.Context(), ended); err != nil {
		t.Fatal(err)
	}
	if _, first := begin(Start.Add(26 * time.Hour)); first {
		t.Fatal("the older request's end dropped the newer one")
	}
	if err := s.DropAnswer(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	if _, first := begin(Start.Add(26 * time.Hour)); !first {
		t.Fatal("what did nothing keeps its name")
	}
	if err := s.ForgetAnswers(t.Context(), Start.Add(27*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, first := begin(Start.Add(26 * time.Hour)); !first {
		t.Fatal("forgotten, and still known")
	}
}
