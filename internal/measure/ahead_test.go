package measure_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/measure"
)

// TestSamplesOfTheFutureAreSetAside opens stores into which samples of times to
// come got: what was real is found, what is of now is taken, and the rest lies in
// a folder that the log names.
func TestSamplesOfTheFutureAreSetAside(t *testing.T) {
	now := time.Now().Truncate(time.Millisecond)
	far := now.AddDate(200, 0, 0)
	for name, ahead := range map[string][]time.Time{
		"in memory":            {far},
		"in memory and blocks": {now.Add(5 * time.Hour), far},
		"in a block":           {far, far.Add(24 * time.Hour), far.Add(48 * time.Hour)},
		"some hours":           {now.Add(5 * time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			o := measure.Options{Dir: t.TempDir(), Retention: 290 * 365 * 24 * time.Hour, Now: func() time.Time { return far.AddDate(1, 0, 0) }}
			db, err := measure.Open(o)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 60 {
				for _, series := range []string{"a", "b"} {
					add(t, db, now.Add(time.Duration(i-60)*time.Minute), 1, "real", "series", series)
				}
			}
			if len(ahead) == 1 { // late; compacting would go through all times until then
				add(t, db, now.Add(-510*time.Second), 1, "real", "series", "a")
			} else {
				add(t, db, now.Add(-30*time.Second), 1, "real", "series", "a")
			}
			add(t, db, now.Add(-time.Second), 1, "real", "series", "a")
			for _, at := range ahead {
				add(t, db, at, 1, "ahead")
			}
			if len(ahead) > 1 {
				if err := db.Compact(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}

			var log bytes.Buffer
			o = measure.Options{Dir: o.Dir, Now: func() time.Time { return now.Add(time.Minute) }, Log: slog.New(slog.NewTextHandler(&log, nil))}
			for range 2 {
				db, err := measure.Open(o)
				if err != nil {
					t.Fatal(err)
				}
				add(t, db, now, 1, "later")
				if got := query(t, db, `sum(count_over_time(real[2h]))`, now); got != "{}=122" {
					t.Errorf("of the real ones there are %s", got)
				}
				if got := query(t, db, `sum(count_over_time(later[1h])) or ahead`, now.Add(time.Minute)); got != "{}=1" {
					t.Errorf("of now and ahead: %s", got)
				}
				if s := db.Stats(); s.Late > 1 { // the second time it is there
					t.Errorf("%+v", s)
				}
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
			}
			aside, err := filepath.Glob(filepath.Join(o.Dir, "ahead-*", "*"))
			if err != nil || len(aside) == 0 || !strings.Contains(log.String(), "to="+filepath.Dir(aside[0])) {
				t.Errorf("set aside: %v, %v\n%s", aside, err, log.String())
			}
		})
	}
}

// TestAClockThatIsBehindSetsNothingAside, as on a machine that has just begun.
func TestAClockThatIsBehindSetsNothingAside(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	for _, clock := range []time.Time{now, time.Unix(0, 0), now} {
		db, err := measure.Open(measure.Options{Dir: dir, Now: func() time.Time { return clock }})
		if err != nil {
			t.Fatal(err)
		}
		for at := now.Add(-10 * time.Hour); !at.After(now); at = at.Add(time.Minute) {
			if clock.Equal(now) {
				add(t, db, at, 1, "m")
			}
		}
		if err := db.Compact(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := query(t, db, `count_over_time(m[11h])`, now); got != "{}=601" {
			t.Errorf("clock at %s: %s", clock, got)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if aside, err := filepath.Glob(filepath.Join(dir, "ahead-*")); err != nil || len(aside) != 0 {
		t.Errorf("%v, %v", aside, err)
	}
}

// TestAClockThatWasAhead writes by a clock that is eight hours ahead and set right
// then, whether the store is open meanwhile or not: its files bear the wrong time,
// too. Soon what is of now is taken again.
func TestAClockThatWasAhead(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		real := time.Now().Truncate(time.Millisecond)
		clock := real.Add(8 * time.Hour)
		o := measure.Options{Dir: t.TempDir(), Now: func() time.Time { return clock }}
		db, err := measure.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		add(t, db, real.Add(-time.Minute), 1, "real")
		add(t, db, clock, 1, "ahead")
		if restarted {
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(o.Dir, "wal", "*"))
			if err != nil || len(files) == 0 {
				t.Fatal(files, err)
			}
			for _, file := range files {
				if err := os.Chtimes(file, clock, clock); err != nil {
					t.Fatal(err)
				}
			}
		}
		clock = real
		if restarted {
			if db, err = measure.Open(o); err != nil {
				t.Fatal(err)
			}
		}
		for range 40 {
			clock = clock.Add(time.Minute)
			_ = db.Append(t.Context(), []measure.Sample{{Labels: measure.Series("m"), At: clock, Value: 1}}) // one fails while the store is opened anew
		}
		if late := db.Stats().Late; late > 25 {
			t.Errorf("restarted %v: %d of 40 are late", restarted, late)
		}
		if query(t, db, "m", clock) == "" || query(t, db, "real", real) == "" {
			t.Errorf("restarted %v: what is of now, or was before, is not found", restarted)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWhatCantBeSetAside ends the opening where the folder can't be made, and says why.
func TestWhatCantBeSetAside(t *testing.T) {
	now := time.Now().Truncate(time.Millisecond)
	far := now.AddDate(1, 0, 0)
	o := measure.Options{Dir: t.TempDir(), Now: func() time.Time { return far }}
	db, err := measure.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	add(t, db, far, 1, "ahead")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	o.Now = func() time.Time { return now }
	if err := os.WriteFile(filepath.Join(o.Dir, "ahead-"+now.UTC().Format("20060102T150405.000Z")), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if db, err = measure.Open(o); err == nil {
		_ = db.Close()
		t.Fatal("it was set aside all the same")
	}
}

// TestHalfDeletedBlocksAreLeftToTheStore opens a store that was killed while it
// deleted a block that was ahead.
func TestHalfDeletedBlocksAreLeftToTheStore(t *testing.T) {
	now := time.Now().Truncate(time.Millisecond)
	far := now.AddDate(1, 0, 0)
	o := measure.Options{Dir: t.TempDir(), Retention: 10 * 365 * 24 * time.Hour, Now: func() time.Time { return far.AddDate(1, 0, 0) }}
	db, err := measure.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 72 {
		add(t, db, far.Add(time.Duration(i)*time.Hour), 1, "ahead")
	}
	if err := db.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	blocks, err := filepath.Glob(filepath.Join(o.Dir, "*", "meta.json"))
	if err != nil || len(blocks) == 0 {
		t.Fatal("no block", err)
	}
	half := filepath.Dir(blocks[0]) + ".tmp-for-deletion"
	if err := os.Rename(filepath.Dir(blocks[0]), half); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(half, "index")); err != nil {
		t.Fatal(err)
	}
	o.Now = func() time.Time { return now }
	if db, err = measure.Open(o); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
