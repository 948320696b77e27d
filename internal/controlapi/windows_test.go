package controlapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"holdfast/internal/access"
	"holdfast/internal/continuity"
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

type feeding struct{ maintenance.Acts }

func (*feeding) Feed(context.Context, string, string) ([]byte, error) {
	return []byte("BEGIN:VCALENDAR"), nil
}

// TestCalendarByItsAddress lets a token stand in the address only if it may read the
// calendar and nothing else, and one that is unknown or revoked see nothing.
func TestCalendarByItsAddress(t *testing.T) {
	tokens := map[string]Caller{
		"calendar": {Name: "calendar", Token: "a", Scopes: access.SetOf(access.CalendarRead)},
		"more":     {Name: "more", Token: "b", Scopes: access.SetOf(access.CalendarRead, access.WindowsWrite)},
		"other":    {Name: "other", Token: "c", Scopes: access.SetOf(access.WindowsRead)},
	}
	h, err := New(Options{
		Authenticate: func(r *http.Request) (Caller, error) {
			c, ok := tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
			if !ok {
				return c, continuity.E(continuity.CodeForbidden, nil)
			}
			return c, nil
		},
		Ready: func() error { return nil }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Windows: &feeding{},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		address, header string
		want            int
	}{
		{"calendar", "", 200}, {"more", "", 401}, {"other", "", 403}, {"revoked", "", 401}, {"", "", 401}, {"", "more", 200}, {"revoked", "more", 401},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://localhost/api/v1/calendar.ics", nil)
		if c.address != "" {
			r.URL.RawQuery = "token=" + c.address
		}
		if c.header != "" {
			r.Header.Set("Authorization", "Bearer "+c.header)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want || w.Code == 200 && !strings.HasPrefix(w.Header().Get("Content-Type"), "text/calendar") {
			t.Errorf("%+v: %d %s %s", c, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
	}
}
