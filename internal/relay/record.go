package relay

import (
	"log/slog"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/upstream"
)

// Recorder writes down requests that pass (rule 12).
type Recorder interface {
	// Recording returns once the request is on stable storage, with its place.
	Recording(rec *continuity.Record) (continuity.Position, error)
	// Recorded takes down how it ended; it may be late.
	Recorded(p continuity.Passed)
}

// recording writes the request down before its first byte is sent, where its
// route wants that. What can't be recorded passes all the same: it is the second
// line, and an upstream in order must not wait for it. It is counted, and
// somebody is told.
func (f *flight) recording(p passage) {
	r := f.route
	if !r.Record.Passed || f.engine.recorder == nil || !p.keep && !p.observe && !p.diverts {
		return
	}
	err := f.recordable()
	if err == nil {
		f.waiter().Block()
		rec := f.record(false)
		if p.standby { // another system's: a restored first one never had it
			rec.Upstream = f.at
		}
		f.recorded, err = f.engine.recorder.Recording(rec)
	}
	if err == nil {
		return
	}
	r.unrecorded.count(continuity.CodeOf(err))
	if r.unrecorded.tell(time.Now()) {
		f.event(slog.LevelWarn, "a request passes that could not be recorded; after a restore it can't be brought back", "error", err)
	}
}

// ended tells the recorder what became of a request that it wrote down.
func (f *flight) ended(result *upstream.Result, class upstream.Class) {
	if f.recorded == 0 {
		return
	}
	p := continuity.Passed{Position: f.recorded, To: continuity.InDoubt, Status: result.Status}
	switch {
	case class == upstream.Clean:
		p.To = continuity.Dead
	case class == upstream.Answered && delivered(&f.route.Verdicts, result.Status):
		p.To = continuity.Delivered
	case class == upstream.Answered && result.Status < 500:
		p.To = continuity.Refused
	}
	f.engine.recorder.Recorded(p)
}

// delivered reads a status as replay does, as far as it is certain: what is not
// is looked for at the upstream.
func delivered(v *continuity.Verdicts, status int) bool {
	if continuity.Has(v.Retry, status) || continuity.Has(v.Refused, status) {
		return false
	}
	return continuity.Has(v.Delivered, status) || status >= 200 && status <= 299 || status == 303
}

// class is the priority that the request gives its key (rule 6.4).
func (f *flight) class(caller string) continuity.Class {
	p := f.route.Priority
	switch {
	case p == nil:
		return 0
	case p.Header != "":
		return p.Class(http1.Get(f.req.Header, p.Header))
	default:
		return p.Class(caller)
	}
}
