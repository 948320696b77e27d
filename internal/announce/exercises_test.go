package announce_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/internal/announce"
	"holdfast/internal/continuity"
)

// TestWordsOfAnExerciseSayItsClocksTimes has the words that end an incident of an
// exercise bear the time that its clock showed, and not the real one.
func TestWordsOfAnExerciseSayItsClocksTimes(t *testing.T) {
	w := newWorld(t)
	shown := w.now.AddDate(0, 9, 0)
	w.put(continuity.KindExercise, "drill", continuity.Exercise{ID: "drill", Real: w.now, Shown: shown})
	w.begin(func(i *continuity.Incident) { i.Exercise, i.Began = "drill", shown })
	w.put(continuity.KindExercise, "drill", continuity.Exercise{ID: "drill", Real: w.now, Shown: shown.Add(time.Hour)})
	w.step()
	w.becomes(func(i *continuity.Incident) {
		i.State, i.Resolved, i.Restored, i.Again = continuity.Resolved, w.now, w.now, shown.Add(time.Hour)
	})
	page, _, err := w.store.List(t.Context(), continuity.Query{Kind: continuity.KindNotification, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	ends := 0
	for _, o := range page {
		n, _ := read[continuity.Notification](w, continuity.KindNotification, o.ID)
		if strings.Contains(n.Text.En, "works since 2026-12-02 17:00") {
			ends++
		}
		if strings.Contains(n.Text.En+n.Subject.En, "2026-03") {
			t.Errorf("the real date: %s", n.Text.En)
		}
	}
	if ends != 1 {
		t.Errorf("%d all-clears: %s", ends, w.told())
	}
}

// TestTheFirstWordOfAnExerciseIsMeasuredReally has it kept when people were really told
// first, and not what the exercise's clock showed.
func TestTheFirstWordOfAnExerciseIsMeasuredReally(t *testing.T) {
	w := newWorld(t)
	shown := w.now.AddDate(0, 9, 0)
	w.put(continuity.KindExercise, "drill", continuity.Exercise{ID: "drill", Real: w.now, Shown: shown})
	w.begin(func(i *continuity.Incident) { i.Exercise, i.Began = "drill", shown })
	w.now = w.now.Add(40 * time.Second)
	w.put(continuity.KindExercise, "drill", continuity.Exercise{ID: "drill", Real: w.now, Shown: shown.Add(time.Hour)})
	w.step()
	i, _ := read[continuity.Incident](w, continuity.KindIncident, incident)
	if word := i.Public["customers"]; !i.Heard.Equal(w.now) || !word.At.Equal(shown.Add(time.Hour)) {
		t.Errorf("%s, %+v", i.Heard, word)
	}
}

// TestWhatAnEndedExerciseLeavesUnsaid has what waits for an approval be rejected,
// nothing be said any more, and no answer be given by itself.
func TestWhatAnEndedExerciseLeavesUnsaid(t *testing.T) {
	w := newWorld(t)
	x := continuity.Exercise{ID: "drill", Real: w.now, Shown: w.now.AddDate(0, 9, 0)}
	w.put(continuity.KindExercise, x.ID, x)
	w.begin(func(i *continuity.Incident) { i.Exercise, i.Began = x.ID, x.Shown })
	u, err := w.acts.Say(t.Context(), announce.Who{Actor: li}, incident, announce.Draft{Audience: "customers"})
	if err != nil {
		t.Fatal(err)
	}
	w.step()
	if a, _ := read[continuity.Autoreply](w, continuity.KindAutoreply, continuity.AutoreplyID("orders", "chat")); !a.On {
		t.Fatal("no answer is given")
	}
	told := w.told()
	x.Ended = w.now
	w.put(continuity.KindExercise, x.ID, x)
	w.becomes(func(i *continuity.Incident) { i.State, i.Closed = continuity.Closed, w.now })
	w.pass(time.Hour)
	if got, _ := read[continuity.Update](w, continuity.KindUpdate, u.ID); got.State != continuity.UpdateRejected || !got.Shown.Equal(x.Shown) {
		t.Errorf("%+v", got)
	}
	if a, _ := read[continuity.Autoreply](w, continuity.KindAutoreply, continuity.AutoreplyID("orders", "chat")); a.On {
		t.Errorf("still answered: %+v", a)
	}
	w.want(told)
}
