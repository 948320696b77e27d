package continuity

import (
	"encoding/json"
	"time"
)

// KindExercise is the kind of objects of exercises.
const KindExercise = "exercise"

// OriginDrill is the kind of what incidents of failed exercises came of.
const OriginDrill = "drill"

// Exercise is a drill or a demonstration, whose clock drives its schedules and
// nothing else: what belongs to it bears Exercise and, beside the time that it
// happened, the time that this clock showed.
type Exercise struct {
	ID    string    `json:"id"`
	Real  time.Time `json:"real"`  // when the clock was set
	Shown time.Time `json:"shown"` // to this
	Speed float64   `json:"speed"` // how many of its seconds go by in one; 0: it stands
	By    Actor     `json:"by"`
	Ended time.Time `json:"ended,omitzero"`
}

// At is what the exercise's clock shows at a real time.
func (x *Exercise) At(real time.Time) time.Time {
	return x.Shown.Add(time.Duration(float64(real.Sub(x.Real)) * x.Speed))
}

// Due is the real time at which the exercise's clock shows a time; ok is false where
// it never will by itself.
func (x *Exercise) Due(shown time.Time) (real time.Time, ok bool) {
	ahead := shown.Sub(x.Shown)
	switch {
	case ahead <= 0:
		return x.Real, true
	case x.Speed <= 0:
		return time.Time{}, false
	}
	return x.Real.Add(time.Duration(float64(ahead) / x.Speed)), true
}

// Over reports whether it has ended: its clock stands, and nothing of it goes on.
func (x *Exercise) Over() bool { return !x.Ended.IsZero() }

// Clocks are the clocks of exercises, by their ids; the zero value knows none.
type Clocks map[string]Exercise

// Take learns of an exercise; a body of nil says that it is gone.
func (c Clocks) Take(id string, body json.RawMessage) error {
	delete(c, id)
	if body == nil {
		return nil
	}
	var x Exercise
	if err := json.Unmarshal(body, &x); err != nil {
		return err
	}
	c[id] = x
	return nil
}

// At is the time by which the schedules of an exercise go; those of what is real, or
// of an exercise without a clock, go by the real time.
func (c Clocks) At(exercise string, real time.Time) time.Time {
	if x, ok := c[exercise]; ok && exercise != "" {
		return x.At(real)
	}
	return real
}

// Due is the real time at which the schedules of an exercise show a time; ok is false
// where they never will by themselves.
func (c Clocks) Due(exercise string, shown time.Time) (real time.Time, ok bool) {
	if x, known := c[exercise]; known && exercise != "" {
		return x.Due(shown)
	}
	return shown, true
}

// Over reports whether what belongs to an exercise is over with it.
func (c Clocks) Over(exercise string) bool {
	x, known := c[exercise]
	return exercise != "" && known && x.Over()
}

// Shown is what the clock of an exercise shows; zero where nothing has to be said of it.
func (c Clocks) Shown(exercise string, real time.Time) time.Time {
	if x, known := c[exercise]; known && exercise != "" {
		return x.At(real).UTC()
	}
	return time.Time{}
}
