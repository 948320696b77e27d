package continuity_test

import (
	"errors"
	"fmt"
	"testing"

	"holdfast/internal/continuity"
)

func TestReceiptsReadAsTheyAreWrittenAndInNoOtherWay(t *testing.T) {
	for _, r := range []continuity.Receipt{{}, {1}, {15: 1}, {0: 255, 15: 255}} {
		text := r.String()
		got, err := continuity.ParseReceipt(text)
		if err != nil || got != r || len(text) != 26 {
			t.Errorf("%v: %q reads as %v, %v", r, text, got, err)
		}
		if len(r.Short()) != 8 || text[:8] != r.Short() {
			t.Errorf("short form of %q is %q", text, r.Short())
		}
	}
	good := continuity.Receipt{1, 2, 3}.String()
	for _, bad := range []string{"", good[:25], good + "0", good[:25] + "!", good[:25] + "1", "ABCDEFGHJKMNPQRSTVWXYZ0123", good[:25] + "\n"} {
		if _, err := continuity.ParseReceipt(bad); !errors.Is(err, continuity.ErrReceipt) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParseReceipt(f *testing.F) {
	f.Add(continuity.Receipt{1, 2, 3}.String())
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := continuity.ParseReceipt(text); err == nil && r.String() != text {
			t.Fatalf("%q reads as %q", text, r)
		}
	})
}

func TestEveryStateIsPendingOrEnded(t *testing.T) {
	for _, s := range continuity.States() {
		if s.Pending() == s.Ended() {
			t.Errorf("%s: pending %v, ended %v", s, s.Pending(), s.Ended())
		}
	}
	if s := continuity.State(0); s.Pending() || s.Ended() {
		t.Error("the zero value is a state")
	}
}

func TestMatch(t *testing.T) {
	m := continuity.Match{Hosts: []string{"shop.example"}, Paths: []string{"/api/orders/**", "/pay"}, Methods: []string{"POST"}}
	for _, c := range []struct {
		method, host, path string
		want               bool
	}{
		{"POST", "shop.example", "/api/orders", true},
		{"POST", "SHOP.example", "/api/orders/7", true},
		{"POST", "shop.example", "/pay", true},
		{"POST", "shop.example", "/pay/7", false},
		{"POST", "shop.example", "/api/orders-old", false},
		{"POST", "shop.example", "/api", false},
		{"GET", "shop.example", "/pay", false},
		{"POST", "other.example", "/pay", false},
	} {
		if got := m.Matches(c.method, c.host, c.path); got != c.want {
			t.Errorf("%s %s%s: %v", c.method, c.host, c.path, got)
		}
	}
	if !(continuity.Match{}).Matches("PUT", "any", "/where") {
		t.Error("an empty match matches everything")
	}
}

func TestCodeOfFindsTheCodeUnderneath(t *testing.T) {
	inner := continuity.E(continuity.CodeDiskFull, errors.New("no space"), "route", "orders")
	if inner.Args["route"] != "orders" {
		t.Error(inner.Args)
	}
	for want, err := range map[continuity.Code]error{
		"":                      nil,
		continuity.CodeDiskFull: fmt.Errorf("while keeping: %w", inner),
		continuity.CodeInternal: errors.New("anything"),
	} {
		if got := continuity.CodeOf(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}
