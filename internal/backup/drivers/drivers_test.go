package drivers

import (
	"regexp"
	"strings"
	"testing"

	"holdfast/internal/continuity"
)

func TestKinds(t *testing.T) {
	for _, kind := range Kinds() {
		if d, err := New(kind, Options{}); d == nil || err != nil {
			t.Errorf("a driver of the kind %s can't be made to restore with: %v", kind, err)
		}
	}
	if _, err := New("clay-tablets", Options{}); continuity.CodeOf(err) != continuity.CodeInvalid {
		t.Error(err)
	}
}

func TestSlotsDiffer(t *testing.T) {
	long := strings.Repeat("a", 63)
	seen := map[string]bool{}
	for _, o := range []Options{{Service: "shop", Set: "orders"}, {Service: "shop-orders", Set: "x"}, {Service: "shop", Set: "orders-x"}, {Service: long, Set: long}, {Service: long, Set: long[1:]}} {
		name := slot(o)
		if seen[name] || len(name) > 63 || !regexp.MustCompile(`^[a-z0-9_]+$`).MatchString(name) {
			t.Error(name)
		}
		seen[name] = true
	}
}
