package identity_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"strings"
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

// What receipts are made of is HMAC-SHA256 by the book, for secrets of any
// length.
func TestHashesAreHMAC(t *testing.T) {
	for _, secret := range []string{"", "secret", strings.Repeat("s", 64), strings.Repeat("s", 65)} {
		mac := hmac.New(sha256.New, []byte(secret))
		for _, part := range []string{"fingerprint", "POST", "/orders?a=b", strings.Repeat("body", 5000)} {
			_ = binary.Write(mac, binary.BigEndian, uint64(len(part)))
			mac.Write([]byte(part))
		}
		want := mac.Sum(nil)
		h := identity.New([]byte(secret))
		for range 2 {
			if got := h.Fingerprint("POST", "/orders?a=b", []byte(strings.Repeat("body", 5000))); string(got[:]) != string(want[:len(got)]) {
				t.Errorf("secret of %d bytes: %x, want %x", len(secret), got, want)
			}
		}
		mac.Reset()
		for _, part := range []string{"key", "route", "k"} {
			_ = binary.Write(mac, binary.BigEndian, uint64(len(part)))
			mac.Write([]byte(part))
		}
		if got, want := h.KeyTag("route", "k"), binary.BigEndian.Uint64(mac.Sum(nil)); uint64(got) != want {
			t.Errorf("secret of %d bytes: tag %x, want %x", len(secret), got, want)
		}
	}
}
