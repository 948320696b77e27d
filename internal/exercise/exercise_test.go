package exercise_test

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/exercise"
	"holdfast/internal/store"
	"holdfast/internal/store/storetest"
)

var (
	li    = continuity.Actor{Kind: "user", ID: "li.wei", Via: "cli"}
	zhang = continuity.Actor{Kind: "user", ID: "zhang.min", Via: "cli"}
	real0 = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	shown = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
)

// world is what people do with exercises, over a real store, and the real time.
type world struct {
	*testing.T

	now   time.Time
	store *store.Store
	acts  *exercise.Acts
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, now: real0}
	now := func() time.Time { return w.now }
	w.store = storetest.Open(t, filepath.Join(t.TempDir(), "state.db"), store.Clock(now))
	w.acts = exercise.NewActs(w.store, now)
	return w
}

func (w *world) set(id string, version int64, to time.Time, speed float64) exercise.Kept {
	w.Helper()
	k, err := w.acts.Set(w.Context(), li, id, version, to, speed)
	if err != nil {
		w.Fatal(err)
	}
	return k
}

func (w *world) refused(err error, want continuity.Code) {
	w.Helper()
	if continuity.CodeOf(err) != want {
		w.Errorf("%v, want %s", err, want)
	}
}

// TestAClockGoesAtItsSpeed has a clock show what it is set to and go from there: also
// when another node reads it later.
func TestAClockGoesAtItsSpeed(t *testing.T) {
	for _, one := range []struct {
		speed float64
		after time.Duration
		want  time.Duration
	}{{0, time.Hour, 0}, {1, time.Hour, time.Hour}, {60, time.Minute, time.Hour}, {0.5, time.Hour, 30 * time.Minute}, {86400, time.Second, 24 * time.Hour}} {
		w := newWorld(t)
		w.set("drill", continuity.VersionNew, shown, one.speed)
		w.now = w.now.Add(one.after)
		k, err := w.acts.Get(t.Context(), "drill")
		if err != nil || !k.At(w.now).Equal(shown.Add(one.want)) || k.By != li {
			t.Errorf("speed %v: %+v, %v", one.speed, k, err)
		}
		due, ok := k.Due(shown.Add(24 * time.Hour))
		if want := one.speed > 0; ok != want || ok && !k.At(due).Equal(shown.Add(24*time.Hour)) {
			t.Errorf("speed %v: due %v, %v", one.speed, due, ok)
		}
	}
}

// TestAClockNeverGoesBack has a clock be set forward, and refuses what is before what
// it shows, also where it went on by itself.
func TestAClockNeverGoesBack(t *testing.T) {
	w := newWorld(t)
	k := w.set("drill", continuity.VersionNew, shown, 60)
	w.now = w.now.Add(time.Minute) // it shows an hour later
	_, err := w.acts.Set(t.Context(), li, "drill", k.Version, shown.Add(30*time.Minute), 60)
	w.refused(err, continuity.CodeInvalid)
	k = w.set("drill", k.Version, shown.Add(24*time.Hour), 1)
	if !k.At(w.now).Equal(shown.Add(24 * time.Hour)) {
		t.Errorf("%+v", k)
	}
	k = w.set("drill", k.Version, time.Time{}, 0) // it stands where it is
	w.now = w.now.Add(time.Hour)
	if !k.At(w.now).Equal(shown.Add(24*time.Hour)) || k.Speed != 0 {
		t.Errorf("%+v", k)
	}
}

// TestWhatIsNoClock refuses what no clock can be, and what somebody else changed
// meanwhile.
func TestWhatIsNoClock(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"", "Drill", "a.b", "a/b", "-a", "winter drill"} {
		_, err := w.acts.Set(t.Context(), li, id, continuity.VersionNew, shown, 1)
		w.refused(err, continuity.CodeInvalid)
	}
	zero := 0.0
	for _, speed := range []float64{-1, 86401, zero / zero} {
		_, err := w.acts.Set(t.Context(), li, "drill", continuity.VersionNew, shown, speed)
		w.refused(err, continuity.CodeInvalid)
	}
	_, err := w.acts.Set(t.Context(), li, "drill", continuity.VersionNew, shown.AddDate(20, 0, 0), 1)
	w.refused(err, continuity.CodeInvalid)
	_, err = w.acts.Set(t.Context(), li, "drill", 7, shown, 1)
	w.refused(err, continuity.CodeNotFound)
	k := w.set("drill", continuity.VersionNew, time.Time{}, 1)
	if !k.At(w.now).Equal(real0) {
		t.Errorf("a new clock shows %v", k.At(w.now))
	}
	_, err = w.acts.Set(t.Context(), zhang, "drill", continuity.VersionNew, shown, 1)
	w.refused(err, continuity.CodeVersion)
	w.set("drill", k.Version, shown, 1)
	_, err = w.acts.Set(t.Context(), zhang, "drill", k.Version, shown.Add(time.Hour), 1)
	w.refused(err, continuity.CodeVersion)
	_, err = w.acts.End(t.Context(), zhang, "drill", k.Version)
	w.refused(err, continuity.CodeVersion)
}

// TestAnEndedExercise has an exercise end once: its clock stands for good, it is not
// begun again, and lists leave it out.
func TestAnEndedExercise(t *testing.T) {
	w := newWorld(t)
	w.set("drill", continuity.VersionNew, shown, 60)
	w.set("other", continuity.VersionNew, shown, 1)
	_, err := w.acts.End(t.Context(), li, "unknown", continuity.VersionAny)
	w.refused(err, continuity.CodeNotFound)
	w.now = w.now.Add(time.Minute)
	k, err := w.acts.End(t.Context(), zhang, "drill", continuity.VersionAny)
	if err != nil || !k.Over() || !k.Ended.Equal(w.now) {
		t.Fatalf("%+v, %v", k, err)
	}
	w.now = w.now.Add(time.Hour)
	if again, err := w.acts.End(t.Context(), li, "drill", continuity.VersionAny); err != nil || again.Version != k.Version || !again.At(w.now).Equal(shown.Add(time.Hour)) {
		t.Errorf("%+v, %v", again, err)
	}
	_, err = w.acts.Set(t.Context(), li, "drill", k.Version, shown.AddDate(0, 1, 0), 1)
	w.refused(err, continuity.CodeState)
	for past, want := range map[bool]int{false: 1, true: 2} {
		if page, next, err := w.acts.List(t.Context(), past, "", 10); err != nil || next != "" || len(page) != want {
			t.Errorf("past %v: %+v, %v", past, page, err)
		}
	}
	clocks := continuity.Clocks{}
	for _, id := range []string{"drill", "other"} {
		o, err := w.store.Get(t.Context(), continuity.KindExercise, id)
		if err == nil {
			err = clocks.Take(o.ID, o.Body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !clocks.Over("drill") || clocks.Over("other") || clocks.Over("") || clocks.Over("unknown") {
		t.Error(clocks)
	}
	if !clocks.Shown("drill", w.now).Equal(shown.Add(time.Hour)) || !clocks.Shown("", w.now).IsZero() || !clocks.Shown("unknown", w.now).IsZero() {
		t.Error(clocks)
	}
}

// TestWhatBecameOfAClock has each change of a clock stand in the events, with who did
// it, in real time.
func TestWhatBecameOfAClock(t *testing.T) {
	w := newWorld(t)
	k := w.set("drill", continuity.VersionNew, shown, 0)
	w.now = w.now.Add(time.Minute)
	w.set("drill", k.Version, shown.Add(time.Hour), 0)
	w.now = w.now.Add(time.Minute)
	if _, err := w.acts.End(t.Context(), zhang, "drill", continuity.VersionAny); err != nil {
		t.Fatal(err)
	}
	events, err := w.store.EventsSince(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, ev := range events {
		got += ev.Action + " " + ev.Actor.ID + " " + ev.At.UTC().Format("15:04") + "\n"
	}
	if want := "exercise.started li.wei 09:00\nexercise.set li.wei 09:01\nexercise.ended zhang.min 09:02\n"; got != want {
		t.Errorf("%s", got)
	}
}

// TestAFailedExerciseIsAnIncident has an exercise that failed end with a real incident
// declared in the same transaction, once.
func TestAFailedExerciseIsAnIncident(t *testing.T) {
	w := newWorld(t)
	w.set("drill", continuity.VersionNew, shown, 1)
	_, err := w.acts.Fail(t.Context(), li, "drill", continuity.VersionAny, "orders", " ")
	w.refused(err, continuity.CodeInvalid)
	k, err := w.acts.Fail(t.Context(), li, "drill", continuity.VersionAny, "orders", "nobody could be reached")
	if err != nil || !k.Over() {
		t.Fatalf("%+v, %v", k, err)
	}
	o, err := w.store.Get(t.Context(), continuity.KindDeclaration, "orders.declared.drill.drill")
	if err != nil {
		t.Fatal(err)
	}
	var d continuity.Declaration
	if err := json.Unmarshal(o.Body, &d); err != nil || d.Exercise != "" || d.Why != "nobody could be reached" || d.Title.En != "Exercise drill failed" || !d.Started.Equal(w.now) {
		t.Errorf("%+v, %v", d, err)
	}
	_, err = w.acts.Fail(t.Context(), li, "drill", continuity.VersionAny, "orders", "once more")
	w.refused(err, continuity.CodeState)
}
