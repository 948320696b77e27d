package calendar

import (
	"iter"
	"time"
)

// Windows recur: each begins with a schedule's occurrence.
type Windows struct {
	Schedule *Schedule
	// Length is time that passes; a window of 4h is 4 hours long whatever clocks
	// do in it.
	Length time.Duration
	// Until, where Length is 0, is a local time: the window ends when clocks
	// first show it after the window's own local time, on the same day or the
	// next. Such a window is longer or shorter when clocks change in it, and
	// empty when they jump over all of it.
	Until Clock
}

// Window is one of them, or any other stretch of time; End is not part of it.
type Window struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Overlaps reports whether two windows share any time.
func (w Window) Overlaps(v Window) bool { return w.Start.Before(v.End) && v.Start.Before(w.End) }

// Length is the time that passes in it.
func (w Window) Length() time.Duration { return w.End.Sub(w.Start) }

// maxWindow bounds how long one window lasts.
const maxWindow = 31 * 24 * time.Hour

// Check says what is wrong with the windows.
func (w Windows) Check() error {
	if w.Length < 0 || w.Length > maxWindow {
		return invalid("calendar.window-length", "max", "31d")
	}
	return nil
}

// of returns the window that an occurrence begins.
func (w Windows) of(o Occurrence) Window {
	if w.Length > 0 {
		return Window{o.At, o.At.Add(w.Length)}
	}
	end := w.Until.on(DateOf(o.Local))
	if !end.After(o.Local) {
		end = w.Until.on(DateOf(o.Local).Plus(1))
	}
	return Window{o.At, Resolve(end, w.Schedule.zone)}
}

// From walks the windows that end after an instant, in the order of their
// beginnings.
func (w Windows) From(after time.Time) iter.Seq[Window] {
	return func(yield func(Window) bool) {
		back := w.Length
		if back == 0 {
			back = 2 * farthest
		}
		for o := range w.Schedule.From(after.Add(-back - 1)) {
			if v := w.of(o); v.End.After(after) && !yield(v) {
				return
			}
		}
	}
}

// At returns the window that an instant is in.
func (w Windows) At(t time.Time) (Window, bool) {
	for v := range w.From(t) {
		return v, !v.Start.After(t)
	}
	return Window{}, false
}
