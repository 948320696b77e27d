package measure_test

import (
	"bytes"
	"log/slog"
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
