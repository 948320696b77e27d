package backup

import (
	"strings"
	"testing"
	"time"
)

func TestNamesAreReadAgain(t *testing.T) {
	for _, set := range []string{"orders", "orders-live", "a-full-b", "x-log-101112-abcdefghij", "o"} {
		n := Name{Service: "shop-2", Set: set, Type: TypeLog, Started: time.Date(2026, 11, 23, 2, 3, 4, 0, time.UTC), ID: NewID()}
		got, err := ParseName(n.Path())
		if err != nil || got != n {
			t.Errorf("%s: %+v %v", n.Path(), got, err)
		}
	}
	n := Name{Service: "shop", Set: "orders-live", Type: TypeFull, Started: time.Date(2026, 11, 23, 2, 3, 4, 5, time.FixedZone("CST", 8*3600)), ID: "abcdefghij"}
	if got := n.Path(); got != "shop/orders-live/20261122-orders-live-full-180304-abcdefghij.bak" {
		t.Error(got)
	}
	if err := n.Check(); err != nil {
		t.Error(err)
	}
}

func TestNamesThatAreNone(t *testing.T) {
	good := "shop/orders/20261122-orders-full-180304-abcdefghij.bak"
	if _, err := ParseName(good); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{
		"", "shop", "shop/orders", "/" + good, "../" + good, good + ".manifest", strings.TrimSuffix(good, ".bak"),
		"shop/orders/20261122-goods-full-180304-abcdefghij.bak",  // of another set
		"shop/orders/20261322-orders-full-180304-abcdefghij.bak", // no day
		"shop/orders/20261122-orders-full-250304-abcdefghij.bak",
		"shop/orders/20261122-orders-half-180304-abcdefghij.bak",
		"shop/orders/20261122-orders-full-180304-abcdefghi0.bak",
		"shop/orders/20261122-orders-full-180304-abc.bak",
		"shop/Orders/20261122-Orders-full-180304-abcdefghij.bak",
		"shop/../20261122-..-full-180304-abcdefghij.bak",
		"shop/orders/20261122-orders-full-18030-4abcdefghij.bak",
		"shop/orders/20261122--orders-full-180304-abcdefghij.bak",
	} {
		if n, err := ParseName(p); err == nil {
			t.Errorf("%q was read as %+v", p, n)
		}
	}
	if (Name{Service: "shop", Set: "Orders", Type: TypeFull, ID: "abcdefghij"}).Check() == nil {
		t.Error("a set that is no id has a name")
	}
}

func TestIDsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 10000 {
		id := NewID()
		if seen[id] || !idForm.MatchString(id) {
			t.Fatal(id)
		}
		seen[id] = true
	}
}

func TestPlacesAreOrdered(t *testing.T) {
	for _, row := range [][]string{
		{"", "0/0", "0/28", "0/1000028", "0/3000060", "0/A000000", "0/10000000", "0/FF000000", "1/0", "A/0", "10/0"},
		{"mariadb-bin.000003:4", "mariadb-bin.000003:328", "mariadb-bin.000003:1234", "mariadb-bin.000004:4", "mariadb-bin.000010:4", "mariadb-bin.1000000:4"},
		{"1", "2", "10", "100"},
	} {
		for i := range row {
			for j := range row {
				a, b := Position{At: row[i]}, Position{At: row[j]}
				if got := a.Compare(b); got != map[bool]int{true: 1}[i > j]-map[bool]int{true: 1}[i < j] {
					t.Errorf("%s and %s: %d", row[i], row[j], got)
				}
			}
		}
	}
	if (Position{System: "a"}).Along(Position{System: "b"}) || (Position{System: "a", Timeline: 1}).Along(Position{System: "a", Timeline: 2}) {
		t.Error("two courses are one")
	}
}
