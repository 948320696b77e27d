package calendar_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/internal/calendar"
)

// TestWrittenCalendarIsRead writes entries and reads them as anybody's program would:
// lines end and fold as RFC 5545 says, and nothing that somebody wrote breaks out.
func TestWrittenCalendarIsRead(t *testing.T) {
	at := time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC) // clocks go back in Berlin in it
	entries := []calendar.Entry{
		{UID: "orders-w-2026-1@holdfast", Sequence: 3, Changed: at, Start: at, End: at.Add(2 * time.Hour), Title: "订单系统维护，" + strings.Repeat("很长", 60), Description: "a; b, c\\d\nBEGIN:VEVENT\r\nEND:VCALENDAR", Status: calendar.EntryConfirmed},
		{UID: "orders-w-2026-2@holdfast", Sequence: 1, Changed: at, Start: at.Add(24 * time.Hour), End: at.Add(48 * time.Hour), Title: "Gone", Status: calendar.EntryCancelled},
	}
	text := string(calendar.Write("Windows", entries))
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\r\n"), "\r\n") {
		if len(line) > 75 || strings.ContainsAny(line, "\r\n") {
			t.Errorf("%d octets: %q", len(line), line)
		}
	}
	for _, want := range []string{"VERSION:2.0\r\n", "METHOD:PUBLISH\r\n", "SEQUENCE:3\r\n", "STATUS:CANCELLED\r\n", "DTSTART:20261025T003000Z\r\n", "DTSTAMP:20261025T003000Z\r\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	feed, err := calendar.Parse(t.Context(), []byte(text), time.UTC)
	if err != nil || len(feed.Left) > 0 || len(feed.Events) != 2 {
		t.Fatalf("%v %+v", err, feed)
	}
	for i, e := range feed.Events {
		want := entries[i]
		if e.UID != want.UID || e.Sequence != want.Sequence || !e.Start.Equal(want.Start) || !e.End.Equal(want.End) || e.Title != want.Title || e.Cancelled != (want.Status == calendar.EntryCancelled) {
			t.Errorf("%+v, want %+v", e, want)
		}
	}
}
