package calendar

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	ics "github.com/arran4/golang-ical"
)

// States of an entry that is written.
const (
	EntryTentative = "TENTATIVE"
	EntryConfirmed = "CONFIRMED"
	EntryCancelled = "CANCELLED"
)

// Entry is one event of a calendar that is written for others. It keeps its UID; each
// change raises its Sequence, so that programs take it over.
type Entry struct {
	UID         string
	Sequence    int
	Changed     time.Time // when it was written so
	Start, End  time.Time
	Title       string
	Description string
	Status      string
}

// refresh is how often whoever follows a calendar should look.
const refresh = "PT1H"

// Write writes an iCalendar file (RFC 5545). Times are instants, so that it needs no
// zones and reads the same wherever clocks change.
func Write(name string, entries []Entry) []byte {
	cal := ics.NewCalendarFor("Holdfast")
	cal.SetProductId("-//Holdfast//windows//EN")
	cal.SetMethod(ics.MethodPublish)
	cal.SetXWRCalName(clean(name))
	cal.SetRefreshInterval(refresh)
	for i := range entries {
		e := &entries[i]
		v := cal.AddEvent(e.UID)
		v.SetDtStampTime(e.Changed.UTC())
		v.SetModifiedAt(e.Changed.UTC())
		v.SetStartAt(e.Start.UTC())
		v.SetEndAt(e.End.UTC())
		v.SetSummary(clean(e.Title))
		if e.Description != "" {
			v.SetDescription(clean(e.Description))
		}
		v.SetProperty(ics.ComponentPropertySequence, strconv.Itoa(e.Sequence))
		v.SetStatus(ics.ObjectStatus(e.Status))
	}
	return []byte(cal.Serialize(ics.WithNewLineWindows))
}

// clean is a text without what would end its line: the library writes such as it is.
func clean(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return '\n'
		case r < ' ' && r != '\n' && r != '\t', r == 0x7f, r == utf8.RuneError:
			return -1
		}
		return r
	}, text)
}
