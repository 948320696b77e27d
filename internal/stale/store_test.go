package stale_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/stale"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func put(t *testing.T, s *stale.Store, address string, size int, header ...continuity.Field) {
	t.Helper()
	putFor(t, s, address, size, nil, header...)
}

func putFor(t *testing.T, s *stale.Store, address string, size int, request []continuity.Field, header ...continuity.Field) {
	t.Helper()
	p, ok := stale.Storable(request, 200, header, now)
	if !ok {
		t.Fatal("not storable")
	}
	s.Put(address, request, p, stale.Response{Status: 200, Header: header, Body: []byte(strings.Repeat("x", size))})
}

func has(s *stale.Store, address string, request ...continuity.Field) bool {
	_, ok := s.Get(address, request, now, time.Hour)
	return ok
}

// However much is put, no more than the bound is kept, and what was put last is
// there.
func TestTheBoundHolds(t *testing.T) {
	const limit = 100_000
	s := stale.New(limit)
	for n := range 1000 {
		address := stale.Address("http", "shop", fmt.Sprint("/p/", n))
		put(t, s, address, 1+n*7%3000)
		if s.Bytes() > limit {
			t.Fatalf("%d bytes kept after %d, the bound is %d", s.Bytes(), n, limit)
		}
		if !has(s, address) {
			t.Fatalf("what was put last (%d) is not there", n)
		}
	}
	if s.Bytes() < limit/2 {
		t.Errorf("%d bytes kept of %d", s.Bytes(), limit)
	}
	s.SetLimit(10_000)
	if s.Bytes() > 10_000 {
		t.Errorf("%d bytes kept under a new bound of 10000", s.Bytes())
	}
	s.SetLimit(0)
	if s.Bytes() != 0 {
		t.Errorf("%d bytes kept under a bound of nothing", s.Bytes())
	}
}

// One that is larger than all there may be puts nothing else out.
func TestWhatNeverFitsPutsNothingOut(t *testing.T) {
	s := stale.New(5000)
	put(t, s, "a", 100)
	put(t, s, "b", 6000)
	if !has(s, "a") || has(s, "b") {
		t.Error("a is gone, or b is there")
	}
}

// In its shard the one longest unused goes first.
func TestTheLongestUnusedGoesFirst(t *testing.T) {
	// All of one address are in one shard.
	s := stale.New(4 * (512 + 1000 + 100))
	vary := continuity.Field{Name: "Vary", Value: "Accept-Language"}
	lang := func(l string) []continuity.Field { return []continuity.Field{{Name: "Accept-Language", Value: l}} }
	for _, l := range []string{"a", "b", "c", "d"} {
		putFor(t, s, "x", 1000, lang(l), vary)
	}
	if !has(s, "x", lang("a")...) { // and it is the one last used now
		t.Fatal("the first is gone already")
	}
	putFor(t, s, "x", 1000, lang("e"), vary)
	for l, want := range map[string]bool{"a": true, "b": false, "e": true} {
		if has(s, "x", lang(l)...) != want {
			t.Errorf("%s there: %v, want %v", l, !want, want)
		}
	}
}

// Of one address a handful of variants is kept: a client can make as many as it
// likes.
func TestVariantsAreBounded(t *testing.T) {
	s := stale.New(1 << 20)
	vary := continuity.Field{Name: "Vary", Value: "X-Any"}
	there := 0
	for n := range 50 {
		putFor(t, s, "x", 10, []continuity.Field{{Name: "X-Any", Value: fmt.Sprint(n)}}, vary)
	}
	for n := range 50 {
		if has(s, "x", continuity.Field{Name: "X-Any", Value: fmt.Sprint(n)}) {
			there++
		}
	}
	if there != 8 || !has(s, "x", continuity.Field{Name: "X-Any", Value: "49"}) {
		t.Errorf("%d variants kept", there)
	}
}

// What is replaced and forgotten no longer counts.
func TestWhatIsGoneNoLongerCounts(t *testing.T) {
	s := stale.New(1 << 20)
	for range 10 {
		put(t, s, "a", 1000)
	}
	one := s.Bytes()
	if one < 1000 || one > 2000 {
		t.Errorf("%d bytes for one response", one)
	}
	s.Forget("a")
	if s.Bytes() != 0 || has(s, "a") {
		t.Errorf("%d bytes after all was forgotten", s.Bytes())
	}
}

func TestForEverybody(t *testing.T) {
	for stated, want := range map[string]bool{
		"":                        false,
		"no-cache":                false,
		"private, max-age=60":     false,
		"no-store, public":        false,
		"max-age=0":               false,
		`no-cache="public"`:       false,
		"Public":                  true,
		"must-revalidate, public": true,
		"s-maxage=0, max-age=0":   true,
		"max-age=60":              true,
		"max-age=x":               true, // nobody knows
	} {
		header := []continuity.Field{{Name: "cache-control", Value: stated}}
		if got := stale.ForEverybody(header); got != want {
			t.Errorf("%q: %v, want %v", stated, got, want)
		}
	}
}
