package reconcile_test

import (
	"database/sql"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/reconcile"
)

// BenchmarkReconcile compares a million records with as many rows.
func BenchmarkReconcile(b *testing.B) {
	const n = 1_000_000
	path := filepath.Join(b.TempDir(), "shop.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		b.Fatal(err)
	}
	_, err = db.Exec(fmt.Sprintf(`CREATE TABLE orders (no TEXT, amount NUMERIC, currency TEXT);
		WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < %d)
		INSERT INTO orders SELECT printf('order-%%012d', i), i / 100.0, 'CNY' FROM c`, n-1))
	if err != nil {
		b.Fatal(err)
	}
	_ = db.Close()
	records := func(yield func(reconcile.Record, error) bool) {
		for i := range uint64(n) {
			r := reconcile.Record{
				Key: fmt.Sprintf("order-%012d", i), State: continuity.Delivered, Method: "POST",
				Amount: fmt.Sprintf("%d.%02d", i/100, i%100), AcceptedAt: accepted,
			}
			binary.BigEndian.PutUint64(r.Receipt[:], i)
			if !yield(r, nil) {
				return
			}
		}
	}
	for b.Loop() {
		r, err := reconcile.Run(b.Context(), reconcile.Options{
			Config: continuity.Reconcile{Driver: "sqlite", DSN: path, Query: query, Amount: "/amount"}, Records: records,
		})
		if err != nil || !r.Clean() || r.Found != n {
			b.Fatalf("%v %+v", err, r)
		}
		b.ReportMetric(r.Took.Seconds(), "s/compare")
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapSys)/(1<<20), "MiB-heap")
}
