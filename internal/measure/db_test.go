package measure_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/measure"
)

// noon is when tests begin.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, o measure.Options) *measure.DB {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Now == nil {
		o.Now = func() time.Time { return noon.AddDate(0, 6, 0) }
	}
	db, err := measure.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func add(t *testing.T, db *measure.DB, at time.Time, v float64, name string, pairs ...string) {
	t.Helper()
	if err := db.Append(t.Context(), []measure.Sample{{Labels: measure.Series(name, pairs...), At: at, Value: v}}); err != nil {
		t.Fatal(err)
	}
}

func query(t *testing.T, db *measure.DB, expr string, at time.Time) string {
	t.Helper()
	values, err := db.Query(t.Context(), expr, at)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, v := range values {
		out = append(out, v.Labels.String()+"="+strconv.FormatFloat(v.Value, 'g', 6, 64))
	}
	return strings.Join(out, " ")
}

func TestWhatIsAppendedIsFound(t *testing.T) {
	db := open(t, measure.Options{})
	for i := range 10 {
		add(t, db, noon.Add(time.Duration(i)*time.Minute), float64(i*60), "orders_total", "route", "orders", "empty", "")
	}
	for expr, want := range map[string]string{
		`orders_total`:               `{__name__="orders_total", route="orders"}=540`,
		`rate(orders_total[5m])`:     `{route="orders"}=1`,
		`1 + 1`:                      `{}=2`,
		`orders_total{route="none"}`: ``,
	} {
		if got := query(t, db, expr, noon.Add(9*time.Minute)); got != want {
			t.Errorf("%s: %s, want %s", expr, got, want)
		}
	}
	rows, err := db.Range(t.Context(), "orders_total", noon, noon.Add(2*time.Minute), time.Minute)
	if err != nil || len(rows) != 1 || len(rows[0].Points) != 3 || rows[0].Points[2].Value != 120 {
		t.Errorf("range: %v, %v", rows, err)
	}
	for _, bad := range []string{`rate(orders_total)`, `orders_total[5m]`, `{`, ``} {
		if _, err := db.Query(t.Context(), bad, noon); continuity.CodeOf(err) != continuity.CodeInvalid {
			t.Errorf("%q: %v, want invalid", bad, err)
		}
	}
	if _, err := db.Range(t.Context(), "orders_total", noon, noon.Add(24*time.Hour), time.Second); continuity.CodeOf(err) != continuity.CodeInvalid {
		t.Errorf("range of 86,400 steps: %v, want invalid", err)
	}
}

func TestSeriesThatHasGoneIsNotFound(t *testing.T) {
	db := open(t, measure.Options{})
	add(t, db, noon, 1, "up", "job", "shop")
	if err := db.Append(t.Context(), []measure.Sample{measure.Gone(measure.Series("up", "job", "shop"), noon.Add(time.Second))}); err != nil {
		t.Fatal(err)
	}
	if got := query(t, db, "up", noon.Add(2*time.Second)); got != "" {
		t.Errorf("found %s after it had gone", got)
	}
}

func TestLateAndDoubledSamplesAreDropped(t *testing.T) {
	db := open(t, measure.Options{Late: 10 * time.Minute})
	add(t, db, noon, 1, "m")
	add(t, db, noon.Add(-9*time.Minute), 2, "m") // a probe that was cut off reports late
	add(t, db, noon.Add(-2*time.Hour), 3, "m")
	add(t, db, noon, 4, "m")
	if s := db.Stats(); s.Late != 2 {
		t.Errorf("%d dropped as late, want 2", s.Late)
	}
	if got := query(t, db, "sum_over_time(m[3h])", noon); got != `{}=3` {
		t.Errorf("got %s", got)
	}
}

// TestSamplesOfTheFutureAreDropped has one sample of the year 2319 come: what is
// measured now is kept all the same, and so is what comes with it.
func TestSamplesOfTheFutureAreDropped(t *testing.T) {
	also := 0
	db := open(t, measure.Options{Now: func() time.Time { return noon }, Also: func(s []measure.Sample) { also += len(s) }})
	samples := []measure.Sample{
		{Labels: measure.Series("m"), At: noon.AddDate(293, 0, 0), Value: 1},
		{Labels: measure.Series("n"), At: noon.Add(59 * time.Second), Value: 2},
	}
	if err := db.Append(t.Context(), samples); err != nil {
		t.Fatal(err)
	}
	add(t, db, noon, 3, "m")
	if s := db.Stats(); s.Early != 1 || s.Late != 0 || also != 2 {
		t.Errorf("%+v, %d handed on", s, also)
	}
	if got := query(t, db, "m + on() n", noon.Add(time.Minute)); got != `{}=5` {
		t.Errorf("got %s", got)
	}
}

func TestSeriesAreBounded(t *testing.T) {
	db := open(t, measure.Options{MaxSeries: 10})
	var samples []measure.Sample
	for i := range 15 {
		samples = append(samples, measure.Sample{Labels: measure.Series("m", "n", strconv.Itoa(i)), At: noon, Value: 1})
	}
	if err := db.Append(t.Context(), samples); err != nil {
		t.Fatal(err)
	}
	for i := range samples {
		samples[i].At = noon.Add(time.Minute)
	}
	if err := db.Append(t.Context(), samples); err != nil {
		t.Fatal(err)
	}
	if s := db.Stats(); s.Series != 10 || s.TooMany != 10 {
		t.Errorf("%d series, %d dropped; want 10 and 10", s.Series, s.TooMany)
	}
	if got := query(t, db, "sum(count_over_time(m[5m]))", noon.Add(time.Minute)); got != "{}=20" {
		t.Errorf("got %s: known series go on", got)
	}
}

func TestOneOpensAFolderAtATime(t *testing.T) {
	dir := t.TempDir()
	open(t, measure.Options{Dir: dir})
	if _, err := measure.Open(measure.Options{Dir: dir}); continuity.CodeOf(err) != continuity.CodeLocked {
		t.Errorf("second open: %v, want locked", err)
	}
}

// TestKilledWhileAppending appends in another process, kills it in the middle
// and finds every sample that it had been told was taken.
func TestKilledWhileAppending(t *testing.T) {
	dir := t.TempDir()
	if at := os.Getenv("HOLDFAST_TEST_APPEND"); at != "" {
		appendForever(at)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		cmd := exec.Command(exe, "-test.run=^TestKilledWhileAppending$")
		cmd.Env = append(os.Environ(), "HOLDFAST_TEST_APPEND="+dir, "HOLDFAST_TEST_ROUND="+strconv.Itoa(round))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		taken := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				taken = n
			}
			if taken == 2000 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); taken < 2000 || err == nil {
			t.Fatalf("round %d: %d taken, ended with %v", round, taken, err)
		}
		db, err := measure.Open(measure.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		values, err := db.Query(t.Context(), fmt.Sprintf(`count_over_time(taken{round="%d"}[1h])`, round), noon.Add(time.Hour-time.Second))
		if err != nil || len(values) != 1 || int(values[0].Value) < taken {
			t.Errorf("round %d: %v, %v; %d were taken", round, values, err, taken)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

func appendForever(dir string) {
	db, err := measure.Open(measure.Options{Dir: dir})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	labels := measure.Series("taken", "round", os.Getenv("HOLDFAST_TEST_ROUND"))
	for i := 1; ; i++ {
		at := noon.Add(time.Duration(i) * time.Millisecond)
		if err := db.Append(context.Background(), []measure.Sample{{Labels: labels, At: at, Value: 1}}); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(i)
	}
}

func TestFullDiskEndsByItself(t *testing.T) {
	now, free, also := noon, uint64(1<<40), 0
	db := open(t, measure.Options{Reserve: 1 << 20, Now: func() time.Time { return now }, Also: func(s []measure.Sample) { also += len(s) },
		Free: func(string) (uint64, error) { return free, nil }})
	add(t, db, now, 1, "m")
	now, free = now.Add(2*time.Second), 1<<19
	err := db.Append(t.Context(), []measure.Sample{{Labels: measure.Series("m"), At: now, Value: 2}})
	if s := db.Stats(); continuity.CodeOf(err) != continuity.CodeStateFull || !s.Full || s.NoSpace != 1 {
		t.Fatalf("full: %v, %+v", err, s)
	}
	now, free = now.Add(2*time.Second), 1<<40
	add(t, db, now, 3, "m")
	if got := query(t, db, "sum_over_time(m[1m])", now); got != "{}=4" || db.Stats().Full {
		t.Errorf("got %s, %+v", got, db.Stats())
	}
	if also != 3 {
		t.Errorf("%d were sent on, want 3", also)
	}
}

// TestRealFullDisk fills a file system under the store, without the reserve
// stopping it first, and makes room again.
func TestRealFullDisk(t *testing.T) {
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=24m"); err != nil {
		t.Fatal("needs the right to mount a file system; run it as root: ", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(mount, syscall.MNT_DETACH) })
	dir := filepath.Join(mount, "measures")
	now, lie := noon, true // the reserve sees the disk only once it is too late
	free := func(dir string) (uint64, error) {
		var st syscall.Statfs_t
		if err := syscall.Statfs(dir, &st); err != nil || lie {
			return 1 << 40, err
		}
		return st.Bavail * uint64(st.Bsize), nil
	}
	o := measure.Options{Dir: dir, Reserve: 1 << 20, Now: func() time.Time { return now }, Free: free}
	db, err := measure.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	add(t, db, now, 1, "before")

	ballast := filepath.Join(mount, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	_ = f.Close()
	var full error
	for i := 0; full == nil && i < 100_000; i++ {
		full = db.Append(t.Context(), []measure.Sample{{Labels: measure.Series("during", "n", strconv.Itoa(i), "long", strings.Repeat("x", 200)), At: now, Value: 1}})
	}
	if continuity.CodeOf(full) != continuity.CodeStateFull {
		t.Fatalf("a full disk gave %v", full)
	}
	now, lie = now.Add(2*time.Second), false
	if err := db.Append(t.Context(), []measure.Sample{{Labels: measure.Series("during"), At: now, Value: 1}}); err == nil {
		t.Fatal("appended to a full disk")
	}
	if got := query(t, db, "before", now); !strings.HasSuffix(got, "=1") {
		t.Errorf("%q is found while the disk is full", got)
	}
	// Another process starts on the full disk: it waits for room, too.
	if err := db.Close(); err != nil {
		t.Log(err)
	}
	db, err = measure.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Append(t.Context(), []measure.Sample{{Labels: measure.Series("during"), At: now, Value: 1}}); continuity.CodeOf(err) != continuity.CodeStateFull {
		t.Fatalf("appended to a full disk: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Second)
	add(t, db, now, 1, "after")
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	db, err = measure.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, name := range []string{"before", "after"} {
		if got := query(t, db, name, now); !strings.HasSuffix(got, "=1") {
			t.Errorf("%s: %q after the disk was full and the store opened again", name, got)
		}
	}
}

func TestOldMeasuresGo(t *testing.T) {
	db := open(t, measure.Options{Retention: 24 * time.Hour})
	for h := range 24 * 5 {
		add(t, db, noon.Add(time.Duration(h)*time.Hour), 1, "m")
	}
	if err := db.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	end := noon.Add(24 * 5 * time.Hour)
	values, err := db.Query(t.Context(), "count_over_time(m[30d])", end)
	if err != nil || len(values) != 1 || values[0].Value > 40 {
		t.Errorf("%v, %v: more than a day and a block are left of five days", values, err)
	}
}
