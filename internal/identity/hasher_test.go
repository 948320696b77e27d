package identity_test

import (
	"sync"
	"testing"

	"holdfast/internal/identity"
)

// Parts must not be able to shift: each row differs from the first only by
// where its parts end.
func TestHashesKeepPartsApart(t *testing.T) {
	h := identity.New([]byte("secret"))
	if h.KeyTag("ab", "c") == h.KeyTag("a", "bc") {
		t.Error("key tag: route and key run together")
	}
	if h.Receipt("a", "bc", "d") == h.Receipt("ab", "c", "d") || h.Receipt("a", "b", "cd") == h.Receipt("a", "bc", "d") {
		t.Error("receipt: parts run together")
	}
	if h.Fingerprint("POST", "/ab", []byte("c")) == h.Fingerprint("POST", "/a", []byte("bc")) ||
		h.Fingerprint("POS", "T/a", nil) == h.Fingerprint("POST", "/a", nil) ||
		h.Fingerprint("POST", "/a?b", nil) == h.Fingerprint("POST", "/a", []byte("?b")) {
		t.Error("fingerprint: parts run together")
	}
	if h.DerivedKey("r", "c", []string{"a", "bc"}) == h.DerivedKey("r", "c", []string{"ab", "c"}) ||
		h.DerivedKey("r", "c", []string{"a", ""}) == h.DerivedKey("r", "c", []string{"a"}) {
		t.Error("derived key: values run together")
	}
}

func TestHashesAreKeyedAndStable(t *testing.T) {
	h, same, other := identity.New([]byte("secret")), identity.New([]byte("secret")), identity.New([]byte("other"))
	if h.Receipt("r", "public", "k") != same.Receipt("r", "public", "k") || h.KeyTag("r", "k") != same.KeyTag("r", "k") {
		t.Error("the same secret gives another hash")
	}
	if h.Receipt("r", "public", "k") == other.Receipt("r", "public", "k") || h.KeyTag("r", "k") == other.KeyTag("r", "k") ||
		h.Fingerprint("POST", "/", nil) == other.Fingerprint("POST", "/", nil) {
		t.Error("another secret gives the same hash")
	}
	want := h.Receipt("r", "public", "k")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if h.Receipt("r", "public", "k") != want {
					t.Error("hashes mix under concurrent use")
					return
				}
				h.Fingerprint("POST", "/x", []byte("body"))
			}
		})
	}
	wg.Wait()
	key, tag := identity.RandomKey(), identity.RandomTag()
	if key == identity.RandomKey() || tag == identity.RandomTag() {
		t.Error("random identities repeat")
	}
}
