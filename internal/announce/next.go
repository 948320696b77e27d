package announce

import (
	"time"

	"holdfast/internal/continuity"
)

// following is what a word of now promises as the time of the one after it: what the
// incident says, if that is still to come, or else as often as its grade does.
func following(i *continuity.Incident, g Grade, at time.Time) time.Time {
	if i.Next.After(at) {
		return i.Next
	}
	return at.Add(g.Every)
}

// nextTo is when an audience hears more: as the last that it was told says, or sooner
// where the incident has said so since. A later time doesn't take back what was promised.
func nextTo(i *continuity.Incident, told continuity.Word) time.Time {
	if i.Next.IsZero() || i.NextSaid.Before(told.At) || !told.Next.IsZero() && told.Next.Before(i.Next) {
		return told.Next
	}
	return i.Next
}
