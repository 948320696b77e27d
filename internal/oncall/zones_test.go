package oncall_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/continuity"
	"holdfast/internal/oncall"
)

// systemZones are all zones that the system knows, each by one of its names.
func systemZones(t *testing.T) (zones []*time.Location) {
	t.Helper()
	const root = "/usr/share/zoneinfo"
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == "posix" || name == "right"):
			return fs.SkipDir
		case d.IsDir():
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(text), "TZif") || seen[string(text)] {
			return nil
		}
		seen[string(text)] = true
		if zone, err := calendar.ParseZone(name); err == nil {
			zones = append(zones, zone)
		}
		return nil
	})
	if err != nil || len(zones) < 400 {
		t.Fatalf("%d zones: %v", len(zones), err)
	}
	return zones
}

var (
	begin = time.Date(2011, 1, 1, 0, 0, 0, 0, time.UTC)
	end   = time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC)
)

// everybody is a roster in which all are known who are named.
func everybody(left map[string]time.Time) oncall.Roster {
	return func(id string) (continuity.Person, bool) {
		return continuity.Person{ID: id, Left: left[id]}, id != "stranger"
	}
}

// shows reports whether the clocks of a zone show a local time or a later one, by
// looking at them.
func shows(zone *time.Location, t, wall time.Time) bool { return !calendar.Wall(t, zone).Before(wall) }

// TestEveryInstantHasExactlyOne goes through two years of every zone, with rotas
// that differ from zone to zone: no gap, no overlap, hand-over when clocks show its
// time, and the same person whether asked for an instant or for a period.
func TestEveryInstantHasExactlyOne(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	moved, changed, shiftsSeen := 0, 0, 0
	for i, zone := range systemZones(t) {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		handover := []time.Duration{0, 30 * time.Minute, 2 * time.Hour, 150 * time.Minute, 9 * time.Hour, 24 * time.Hour}[r.IntN(6)]
		days := []int{1, 7, 14}[r.IntN(3)]
		spec := oncall.Spec{ID: "shop/all", Zone: zone, Days: days, Starts: calendar.Date{Year: 2010, Month: 12, Day: 1 + r.IntN(14)}, Handover: handover}
		for n := range 2 + r.IntN(5) {
			spec.People = append(spec.People, fmt.Sprint("p", n))
		}
		rota, err := oncall.New(spec)
		if err != nil {
			t.Fatal(err)
		}
		shifts := rota.Shifts(nil, everybody(nil), begin, end)
		first := time.Date(2010, 12, spec.Starts.Day, 0, 0, 0, 0, time.UTC).Add(handover)
		at := begin
		for n, s := range shifts {
			if !s.Start.Equal(at) || !s.End.After(s.Start) {
				t.Fatalf("%v: a shift from %v where the one before ended at %v", zone, s.Start, at)
			}
			at = s.End
			// The turn by the calendar alone, and its hand-over by looking at the clock.
			local := calendar.Wall(s.Start, zone)
			turn := int(local.Sub(first) / (time.Duration(days) * 24 * time.Hour))
			if want := spec.People[turn%len(spec.People)]; s.Person != want {
				t.Fatalf("%v: %s from %v, want %s", zone, s.Person, s.Start, want)
			}
			if n == 0 {
				continue
			}
			wall := first.AddDate(0, 0, turn*days)
			if !shows(zone, s.Start, wall) || shows(zone, s.Start.Add(-time.Second), wall) {
				t.Fatalf("%v: handed over at %v, not when clocks first show %v", zone, s.Start, wall)
			}
			if !local.Equal(wall) {
				moved++
			}
			if n < len(shifts)-1 && s.End.Sub(s.Start) != time.Duration(days)*24*time.Hour {
				changed++
			}
		}
		if !at.Equal(end) {
			t.Fatalf("%v: nobody from %v", zone, at)
		}
		shiftsSeen += len(shifts)
		for range 50 {
			x := begin.Add(time.Duration(r.Int64N(int64(end.Sub(begin)))))
			on, ok := rota.At(nil, everybody(nil), x)
			s := shiftOf(t, shifts, x)
			if !ok || on.Person != s.Person {
				t.Fatalf("%v: %s at %v, and %s in the list of shifts", zone, on.Person, x, s.Person)
			}
		}
	}
	t.Logf("%d shifts, %d handed over after a gap, %d longer or shorter", shiftsSeen, moved, changed)
	if changed < 100 || moved == 0 {
		t.Errorf("%d hand-overs in gaps and %d changed shifts: the test shows little", moved, changed)
	}
}

// shiftOf is the one shift that an instant is in.
func shiftOf(t *testing.T, shifts []continuity.Shift, x time.Time) (found continuity.Shift) {
	t.Helper()
	n := 0
	for _, s := range shifts {
		if !x.Before(s.Start) && x.Before(s.End) {
			found = s
			n++
		}
	}
	if n != 1 {
		t.Fatalf("%d shifts at %v", n, x)
	}
	return found
}

// TestOverridesAndLeaversInEveryZone compares with a rule that looks at one instant
// only: the override said last of those of who is there, or the first of the rota
// from the turn on who is.
func TestOverridesAndLeaversInEveryZone(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	byOverride, byLeaver := 0, 0
	for i, zone := range systemZones(t) {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		some := func() time.Time { return begin.Add(time.Duration(r.Int64N(int64(end.Sub(begin))))) }
		people := []string{"a", "stranger", "b", "c"}
		left := map[string]time.Time{"b": some(), "x": some()}
		rota, err := oncall.New(oncall.Spec{ID: "shop/all", Zone: zone, People: people, Days: 7, Starts: calendar.Date{Year: 2010, Month: 12, Day: 6}, Handover: 9 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		var overrides []continuity.Override
		for n := range 6 {
			from := some()
			overrides = append(overrides, continuity.Override{
				ID: fmt.Sprint("o-", n), Rota: []string{"shop/all", "shop/all", "shop/other"}[r.IntN(3)], Person: []string{"x", "y", "stranger", "a"}[r.IntN(4)],
				From: from, Until: from.Add(time.Duration(r.Int64N(int64(90 * 24 * time.Hour)))), Said: begin.Add(time.Duration(r.IntN(3)) * time.Hour),
			})
		}
		there := func(id string, x time.Time) bool {
			return id != "stranger" && (left[id].IsZero() || x.Before(left[id]))
		}
		plain := rota.Shifts(nil, everybody(nil), begin, end)
		shifts := rota.Shifts(overrides, everybody(left), begin, end)
		for n := 1; n < len(shifts); n++ {
			if !shifts[n].Start.Equal(shifts[n-1].End) {
				t.Fatalf("%v: from %v to %v nobody, or two", zone, shifts[n-1].End, shifts[n].Start)
			}
		}
		for range 200 {
			x := some()
			want, by := "", ""
			for _, o := range overrides {
				if o.Rota != "shop/all" || x.Before(o.From) || !x.Before(o.Until) || !there(o.Person, x) {
					continue
				}
				if by == "" || said(overrides, by).Before(o.Said) || said(overrides, by).Equal(o.Said) && o.ID > by {
					want, by = o.Person, o.ID
				}
			}
			on, _ := rota.At(nil, everybody(nil), x)
			turn := people[on.Turn%len(people)]
			for k := 0; want == ""; k++ {
				if next := people[(on.Turn+k)%len(people)]; there(next, x) {
					want = next
				}
			}
			got := shiftOf(t, shifts, x)
			if got.Person != want || got.Override != by {
				t.Fatalf("%v: at %v %+v, want %s by %q", zone, x, got, want, by)
			}
			if by == "" && turn != want {
				byLeaver++
				if len(got.Gone) == 0 || got.Gone[0] != turn {
					t.Fatalf("%v: it is not said that it was the turn of %s: %+v", zone, turn, got)
				}
			}
			if by != "" {
				byOverride++
			}
			if shiftOf(t, plain, x).Person == "stranger" {
				t.Fatal("somebody unknown is on call")
			}
		}
	}
	if byOverride < 1000 || byLeaver < 1000 {
		t.Errorf("%d by overrides, %d in place of leavers: the test shows little", byOverride, byLeaver)
	}
}

func said(overrides []continuity.Override, id string) time.Time {
	for _, o := range overrides {
		if o.ID == id {
			return o.Said
		}
	}
	return time.Time{}
}
