package open_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/target"
	"holdfast/internal/target/open"
)

// TestPlacesAreOpenedWhenTheyAreThere uses a place that was away at first, whole: what
// uploads left is swept there, too.
func TestPlacesAreOpenedWhenTheyAreThere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "nas")
	place := open.Later(func(ctx context.Context) (target.Target, error) { return open.Target(ctx, dir, "") })
	if _, err := place.List(t.Context(), ""); err == nil {
		t.Fatal("a folder that is not there was listed")
	}
	if _, err := place.Sweep(t.Context(), target.SweepAge); err == nil {
		t.Fatal("a folder that is not there was swept")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	const name = "shop/orders/one.bak"
	if err := place.Put(t.Context(), name, strings.NewReader("orders")); err != nil {
		t.Fatal(err)
	}
	if all, err := place.List(t.Context(), "shop/"); err != nil || len(all) != 1 || all[0].Name != name {
		t.Error(all, err)
	}
	left := filepath.Join(dir, "shop", "orders", ".tmp-1")
	if err := os.WriteFile(left, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-2 * target.SweepAge)
	if err := os.Chtimes(left, past, past); err != nil {
		t.Fatal(err)
	}
	if n, err := place.Sweep(t.Context(), target.SweepAge); err != nil || n != 1 {
		t.Error(n, err)
	}
	if err := place.Delete(t.Context(), name); err != nil {
		t.Error(err)
	}
	if _, _, err := place.Open(t.Context(), name); err == nil {
		t.Error("what was deleted was opened")
	}
}
