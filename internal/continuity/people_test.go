package continuity_test

import (
	"slices"
	"testing"
	"time"

	"holdfast/internal/continuity"
)

func TestDiffering(t *testing.T) {
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	li := continuity.Person{
		ID: "li", Names: map[string]string{"zh": "李雷"}, Addresses: []continuity.Address{{Kind: "phone", Value: "1"}}, Department: "orders", Left: at,
	}
	same := li
	same.Addresses, same.Left = slices.Clone(li.Addresses), at.In(time.FixedZone("", 8*3600))
	if fields := li.Differing(same); fields != nil {
		t.Error(fields)
	}
	if fields := (continuity.Person{}).Differing(continuity.Person{Addresses: []continuity.Address{}}); fields != nil {
		t.Errorf("no address is no address: %v", fields)
	}
	if fields := li.Differing(continuity.Person{}); !slices.Equal(fields, []string{"names", "addresses", "department", "left"}) {
		t.Error(fields)
	}
}
