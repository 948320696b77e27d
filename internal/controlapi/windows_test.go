package controlapi

import (
	"io"
	"log/slog"
	"net/http"
	"testing"

	"holdfast/internal/exercise"
	"holdfast/internal/maintenance"
	"holdfast/internal/notices"
	"holdfast/internal/notices/calendars"
	"holdfast/internal/notify"
)

// TestWindowsAreServed declares the operations of windows and exercises: a mistake in
// one keeps a node from starting.
func TestWindowsAreServed(t *testing.T) {
	_, err := New(Options{
		Authenticate: func(*http.Request) (Caller, error) { return Caller{}, nil }, Ready: func() error { return nil },
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Windows: &maintenance.Acts{}, Exercises: &exercise.Acts{}, Courses: &maintenance.Acts{},
		Calendars: &calendars.Shelf{}, Notices: &notices.Desk{}, Notifications: &notify.Acts{}, // which have types of the same names
	})
	if err != nil {
		t.Fatal(err)
	}
}
