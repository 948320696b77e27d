package extract_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"holdfast/internal/notices/extract"
)

// FuzzRead reads anything: it never panics, takes bounded time, and what it
// claims to have read holds together.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/notices/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(archive.Files[0].Data), string(archive.Files[1].Data))
	}
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		f.Fatal(err)
	}
	now := time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, title, body string) {
		began := time.Now()
		r := extract.Read(extract.Text{Title: title, Body: body, Written: now}, extract.Setting{Zone: zone, Now: now, Names: names})
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("took %s", took)
		}
		if !r.Start.IsZero() && !r.End.IsZero() && !r.End.After(r.Start) {
			t.Errorf("from %s to %s", r.Start, r.End)
		}
		if len(r.Candidates) > 8 || len(r.Candidates) > 0 && !r.Start.IsZero() {
			t.Errorf("%d candidates beside %s", len(r.Candidates), r.Start)
		}
	})
}

// TestLongTextsTakeBoundedTime feeds what makes patterns and grouping work
// hardest.
func TestLongTextsTakeBoundedTime(t *testing.T) {
	zone := time.UTC
	for _, unit := range []string{"12月1日02:00-", "1-", "2026-", "一", "UTC ", "from to ", "((((", "02:00 UTC, ", "晚上", "预计", "\x80", "。"} {
		began := time.Now()
		extract.Read(extract.Text{Title: unit, Body: strings.Repeat(unit, 1<<20/len(unit))}, extract.Setting{Zone: zone, Now: began, Names: names})
		if took := time.Since(began); took > time.Minute {
			t.Errorf("%q: %s", unit, took)
		}
	}
}
