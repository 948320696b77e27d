package calendar

import (
	"fmt"
	"time"
)

// Date is a day of the calendar, in no zone.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf returns the date that a time shows in its location.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// ParseDate reads such as 2026-10-01.
func ParseDate(text string) (Date, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return Date{}, invalid("calendar.date", "value", brief(text))
	}
	return DateOf(t), nil
}

func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

// MarshalText writes such as 2026-10-01.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads such as 2026-10-01.
func (d *Date) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDate(string(text))
	return err
}

// wall is the local time of a date and a clock, as UTC: arithmetic on it knows no
// zone.
func (d Date) wall() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }

// Weekday returns the day of the week.
func (d Date) Weekday() time.Weekday { return d.wall().Weekday() }

// Plus returns the date so many days later, or earlier.
func (d Date) Plus(days int) Date { return DateOf(d.wall().AddDate(0, 0, days)) }

// Before reports whether d is earlier than e.
func (d Date) Before(e Date) bool { return d.wall().Before(e.wall()) }

// Begin returns the instant at which the date begins in a zone.
func (d Date) Begin(zone *time.Location) time.Time { return Resolve(d.wall(), zone) }
