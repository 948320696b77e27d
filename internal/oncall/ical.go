package oncall

import (
	"fmt"
	"time"

	ics "github.com/arran4/golang-ical"

	"holdfast/internal/continuity"
)

// ICal is a calendar of shifts for programs that show them (RFC 5545). title is
// what a shift is called there. A shift keeps its id as long as it begins when it
// does and is the same person's.
func ICal(shifts []continuity.Shift, now time.Time, title func(continuity.Shift) string) []byte {
	c := ics.NewCalendar()
	c.SetMethod(ics.MethodPublish)
	c.SetProductId("-//Holdfast//on call//EN")
	for _, s := range shifts {
		e := c.AddEvent(fmt.Sprintf("%s/%s/%d@oncall.holdfast", s.Rota, s.Person, s.Start.Unix()))
		e.SetDtStampTime(now)
		e.SetStartAt(s.Start)
		e.SetEndAt(s.End)
		e.SetSummary(title(s))
	}
	return []byte(c.Serialize())
}
