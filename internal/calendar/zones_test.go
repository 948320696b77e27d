package calendar_test

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/calendar"
)

// systemZones are all zones that the system knows, each by one of its names.
func systemZones(t *testing.T) []string {
	t.Helper()
	const root = "/usr/share/zoneinfo"
	var names []string
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		if d.IsDir() {
			if name == "posix" || name == "right" { // the same again, and with leap seconds
				return fs.SkipDir
			}
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(src), "TZif") || seen[string(src)] {
			return nil
		}
		seen[string(src)] = true
		if _, err := calendar.ParseZone(name); err == nil {
			names = append(names, name)
		}
		return nil
	})
	if err != nil || len(names) < 400 {
		t.Fatalf("%d zones under %s: %v", len(names), root, err)
	}
	return names
}

const firstYear, years = 2007, 20

// segment is a time during which a zone's clocks run evenly.
type segment struct {
	start, end time.Time
	offset     time.Duration
}

// segments finds them by looking at the clock often, without asking when it
// changes.
func segments(zone *time.Location) []segment {
	offset := func(t time.Time) time.Duration {
		_, s := t.In(zone).Zone()
		return time.Duration(s) * time.Second
	}
	const look = 5 * time.Hour
	t := time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC).Add(-72 * time.Hour)
	end := time.Date(firstYear+years, 1, 1, 0, 0, 0, 0, time.UTC).Add(72 * time.Hour)
	out := []segment{{start: t, offset: offset(t)}}
	for ; t.Before(end); t = t.Add(look) {
		before, after := t, t.Add(look)
		now := offset(after)
		if now == out[len(out)-1].offset {
			continue
		}
		for after.Sub(before) > time.Second {
			middle := before.Add(after.Sub(before) / 2).Truncate(time.Second)
			if offset(middle) == now {
				after = middle
			} else {
				before = middle
			}
		}
		out[len(out)-1].end = after
		out = append(out, segment{start: after, offset: now})
	}
	out[len(out)-1].end = end
	return out
}

// daemon fires each of the local times as somebody would who looks at the clock
// all the time: as soon as it shows the next one or a later one.
func daemon(clocks []segment, walls []time.Time) []time.Time {
	fired := make([]time.Time, 0, len(walls))
	for _, s := range clocks {
		for len(walls) > 0 {
			at := walls[0].Add(-s.offset)
			if !at.Before(s.end) {
				break
			}
			if at.Before(s.start) {
				at = s.start
			}
			fired = append(fired, at)
			walls = walls[1:]
		}
	}
	return slices.CompactFunc(fired, time.Time.Equal)
}

// TestEveryZoneFiresEachOccurrenceOnce goes through 20 years of every zone, with
// schedules that differ from zone to zone.
func TestEveryZoneFiresEachOccurrenceOnce(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	zones := systemZones(t)
	moved, fired := 0, 0
	for i, name := range zones {
		zone, err := calendar.ParseZone(name)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		spec, matches := anySpec(r)
		spec.Zone = zone
		schedule, err := calendar.New(spec)
		if err != nil {
			t.Fatalf("%s: %+v: %v", name, spec, err)
		}
		walls := make([]time.Time, 0, years*366*len(spec.At))
		for d := spec.From; d.Year < firstYear+years; d = d.Plus(1) {
			if matches(d) {
				for _, at := range spec.At {
					walls = append(walls, time.Date(d.Year, d.Month, d.Day, at.Hour, at.Minute, 0, 0, time.UTC))
				}
			}
		}
		slices.SortFunc(walls, time.Time.Compare)
		want := daemon(segments(zone), walls)
		from, to := want[0], want[len(want)-1].Add(1)
		got, more := schedule.Between(from, to, len(want)+1)
		if more || len(got) != len(want) {
			t.Fatalf("%s: %d occurrences, want %d", name, len(got), len(want))
		}
		for j, o := range got {
			if !o.At.Equal(want[j]) {
				t.Fatalf("%s: %v, want %v (%v)", name, o.At, want[j].In(zone), spec)
			}
			if !calendar.Wall(o.At, zone).Equal(o.Local) {
				moved++
			}
		}
		fired += len(got)
		for range 3 { // a node that starts anew at any time goes on where it was
			after := from.Add(time.Duration(r.Int64N(int64(to.Sub(from)) - 1)))
			j, _ := slices.BinarySearchFunc(want, after.Add(1), time.Time.Compare)
			if o, ok := schedule.Next(after); !ok || !o.At.Equal(want[min(j, len(want)-1)]) {
				t.Fatalf("%s: next after %v is %v, want %v", name, after, o.At, want[j])
			}
		}
	}
	t.Logf("%d zones, %d occurrences, %d moved", len(zones), fired, moved)
	if moved < 100 {
		t.Errorf("only %d occurrences in gaps: the test shows little", moved)
	}
}

// edges are where zones change their clocks.
var edges = []calendar.Clock{{Hour: 0, Minute: 30}, {Hour: 1}, {Hour: 1, Minute: 30}, {Hour: 2}, {Hour: 3}}

// anySpec makes a schedule, and says by itself which days it is on.
func anySpec(r *rand.Rand) (calendar.Spec, func(calendar.Date) bool) {
	spec := calendar.Spec{From: calendar.Date{Year: firstYear, Month: 1, Day: 1}, At: []calendar.Clock{
		{Hour: 0, Minute: 0}, edges[r.IntN(len(edges))], {Hour: 2, Minute: 1 + r.IntN(59)}, {Hour: 4 + r.IntN(20), Minute: r.IntN(60)},
	}}
	switch r.IntN(4) {
	case 0:
		spec.Weekly = []time.Weekday{time.Sunday, time.Weekday(r.IntN(6) + 1)}
		return spec, func(d calendar.Date) bool { return slices.Contains(spec.Weekly, d.Weekday()) }
	case 1:
		day := 28 + r.IntN(4)
		spec.Monthly = []int{day, -2}
		return spec, func(d calendar.Date) bool {
			last := calendar.Date{Year: d.Year, Month: d.Month + 1, Day: 1}.Plus(-1).Day
			return d.Day == min(day, last) || d.Day == last-1
		}
	}
	spec.Daily = true
	return spec, func(calendar.Date) bool { return true }
}

// TestWindowsLastAsTheySay walks windows of a duration and windows until a local
// time through the same zones.
func TestWindowsLastAsTheySay(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	changed := 0
	for _, name := range systemZones(t) {
		zone, err := calendar.ParseZone(name)
		if err != nil {
			t.Fatal(err)
		}
		begin := calendar.Clock{Hour: r.IntN(24), Minute: r.IntN(60)}
		schedule, err := calendar.New(calendar.Spec{Zone: zone, Weekly: []time.Weekday{time.Saturday, time.Sunday}, At: []calendar.Clock{begin}, From: calendar.Date{Year: firstYear, Month: 1, Day: 1}})
		if err != nil {
			t.Fatal(err)
		}
		lasting := calendar.Windows{Schedule: schedule, Length: 4 * time.Hour}
		until := calendar.Windows{Schedule: schedule, Until: calendar.Clock{Hour: (begin.Hour + 4) % 24, Minute: begin.Minute}}
		from := time.Date(firstYear, 6, 1, 0, 0, 0, 0, time.UTC)
		n := 0
		for w := range lasting.From(from) {
			if w.Length() != 4*time.Hour || !w.End.After(from) {
				t.Fatalf("%s: %v", name, w)
			}
			if n++; n == 120 {
				break
			}
		}
		n = 0
		for w := range until.From(from) {
			end := calendar.Wall(w.End, zone)
			before := calendar.Wall(w.End.Add(-time.Second), zone)
			shows := end.Hour() == until.Until.Hour && end.Minute() == until.Until.Minute
			jumped := end.Sub(before) > time.Second // over the end
			if !shows && !jumped || w.Length() < 0 || w.Length() > 29*time.Hour {
				t.Fatalf("%s: %v", name, w)
			}
			if w.Length() != 4*time.Hour {
				changed++
			}
			if at, ok := until.At(w.Start); w.Length() > 0 && (!ok || at != w) {
				t.Fatalf("%s: at the beginning of %v it is %v, %v", name, w, at, ok)
			}
			if n++; n == 110 {
				break
			}
		}
	}
	if changed == 0 {
		t.Error("no window met a change of clocks")
	}
}
