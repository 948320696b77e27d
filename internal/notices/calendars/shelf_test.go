package calendars_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/calendar"
	"holdfast/internal/notices"
	"holdfast/internal/notices/calendars"
	"holdfast/internal/outgoing"
	"holdfast/internal/outgoing/fetch"
)

const promotions = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:sale\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20261111T000000\r\nDTEND:20261112T000000\r\nSUMMARY:%s\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

// site serves one calendar, or an error.
type site struct {
	*httptest.Server

	text   atomic.Value
	status atomic.Int64
}

func serve(t *testing.T) *site {
	s := &site{}
	s.text.Store(fmt.Sprintf(promotions, "Double eleven"))
	s.status.Store(200)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(s.status.Load()))
		_, _ = w.Write([]byte(s.text.Load().(string)))
	}))
	t.Cleanup(s.Close)
	return s
}

func shelf(t *testing.T, dir string, now *time.Time) *calendars.Shelf {
	t.Helper()
	rules, err := outgoing.Rules("127.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	guard := outgoing.New(outgoing.NewPolicy(rules...), nil)
	client := func(*notices.Spec) (*http.Client, error) { return guard.Client(outgoing.Options{}), nil }
	return calendars.New(dir, client, func() time.Time { return *now }, slog.New(slog.DiscardHandler))
}

func spec(url string) []notices.Spec {
	return []notices.Spec{{Service: "orders", ID: "promotions", Kind: "peaks", URL: url, Zone: time.FixedZone("CST", 8*3600), Every: time.Hour}}
}

var november = calendar.Window{Start: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}

func titles(t *testing.T, s *calendars.Shelf) string {
	t.Helper()
	found, err := s.Between(t.Context(), "orders", "peaks", november)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range found {
		all = append(all, e.Title+"@"+e.Calendar)
	}
	return strings.Join(all, ",")
}

func state(t *testing.T, s *calendars.Shelf) calendars.State {
	t.Helper()
	all := s.States("orders")
	if len(all) != 1 {
		t.Fatal(all)
	}
	return all[0]
}

func TestTheLastGoodCopyCounts(t *testing.T) {
	s, dir, now := serve(t), t.TempDir(), time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	first := shelf(t, dir, &now)
	first.Set(spec(s.URL))
	if st := state(t, first); st.State != calendars.Unknown || titles(t, first) != "" {
		t.Errorf("%+v", st)
	}
	first.Look(t.Context(), "orders", "promotions")
	if st := state(t, first); st.State != calendars.Read || !st.Read.Equal(now) || titles(t, first) != "Double eleven@promotions" {
		t.Errorf("%+v %s", st, titles(t, first))
	}
	// What is no calendar, or not there, changes nothing but what is said of it.
	for why, do := range map[string]func(){
		fetch.Status: func() { s.status.Store(500) },
		fetch.Format: func() { s.status.Store(200); s.text.Store("<html>log in</html>") },
	} {
		do()
		read := now
		now = now.Add(time.Minute)
		first.Look(t.Context(), "orders", "promotions")
		if st := state(t, first); st.State != calendars.Old || st.Why != why || st.Read.After(read) || titles(t, first) == "" {
			t.Errorf("%s: %+v %s", why, st, titles(t, first))
		}
	}
	// Nor does a restart without the place.
	second := shelf(t, dir, &now)
	second.Set(spec(s.URL))
	if st := state(t, second); st.Read.IsZero() || titles(t, second) != "Double eleven@promotions" {
		t.Errorf("%+v %s", st, titles(t, second))
	}
	s.status.Store(200)
	s.text.Store(fmt.Sprintf(promotions, "New sale"))
	second.Look(t.Context(), "orders", "promotions")
	if st := state(t, second); st.State != calendars.Read || titles(t, second) != "New sale@promotions" {
		t.Errorf("%+v", st)
	}
	// A copy of another address is no copy of this one; a broken one is none.
	other := shelf(t, dir, &now)
	other.Set(spec(s.URL + "/other"))
	if st := state(t, other); st.State != calendars.Unknown {
		t.Errorf("%+v", st)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.WriteFile(dir+"/"+files[0].Name(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	third := shelf(t, dir, &now)
	third.Set(spec(s.URL))
	if st := state(t, third); st.State != calendars.Unknown {
		t.Errorf("%+v", st)
	}
	third.Set(nil)
	third.Look(t.Context(), "orders", "promotions") // gone meanwhile
	if len(third.States("")) != 0 {
		t.Error("a calendar that no plan names is shown")
	}
}
