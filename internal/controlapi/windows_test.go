package controlapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
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
		if w.Code == 401 && !strings.Contains(w.Body.String(), "holdfast token add calendar") {
			t.Errorf("%+v: it does not say which token is needed: %s", c, w.Body)
		}
	}
}

// hearing notes for whom somebody checked in.
type hearing struct {
	maintenance.Acts

	of []string
}

func (h *hearing) CheckIn(_ context.Context, by continuity.Actor, _, person string, _ bool, _ string) (maintenance.Kept, error) {
	h.of = append(h.of, by.ID+" of "+person)
	return maintenance.Kept{}, nil
}

// TestCheckInForOthers lets everybody say whether it works for themselves, and for
// others only those who may lead windows.
func TestCheckInForOthers(t *testing.T) {
	heard := &hearing{}
	callers := map[string]Caller{
		"reports": {Actor: continuity.Actor{Kind: "user", ID: "chen.jie"}, Name: "chen.jie", Scopes: access.SetOf(access.ReportsWrite)},
		"leads":   {Actor: continuity.Actor{Kind: "user", ID: "li.wei"}, Name: "li.wei", Scopes: access.SetOf(access.ReportsWrite, access.WindowsWrite)},
	}
	h, err := New(Options{
		Authenticate: func(r *http.Request) (Caller, error) { return callers[r.Header.Get("X-Caller")], nil },
		Ready:        func() error { return nil }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Windows: heard, Courses: heard,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		caller, body string
		want         int
	}{
		{"reports", `{"works":true}`, 200}, {"reports", `{"works":true,"person":"chen.jie"}`, 200}, {"reports", `{"works":true,"person":"sun.lan"}`, 403},
		{"leads", `{"works":true,"person":"sun.lan"}`, 200},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://localhost/api/v1/windows/w/check-ins", strings.NewReader(c.body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Caller", c.caller)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want && (c.want != 200 || w.Code/100 != 2) {
			t.Errorf("%+v: %d %s", c, w.Code, w.Body)
		}
	}
	if want := []string{"chen.jie of ", "chen.jie of chen.jie", "li.wei of sun.lan"}; !slices.Equal(heard.of, want) {
		t.Errorf("%q", heard.of)
	}
}
