package binding_test

import (
	"slices"
	"testing"
	"time"

	"holdfast/internal/announce"
	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/incident"
)

// TestWordsOfAPlan has the rules of words come out of a plan as it stands.
func TestWordsOfAPlan(t *testing.T) {
	p := example(t, "payment-outage")
	r := binding.Words(p, func(role string, people []string) []string {
		if role == "commander" {
			return []string{people[1], people[0]}
		}
		return people
	})
	if want := []string{"zhang.min", "li.wei", "sun.lan", "he.ping"}; !slices.Equal(r.Approvers, want) || r.Anybody {
		t.Errorf("%v may approve, want %v", r.Approvers, want)
	}
	if want := []string{"customers", "commander"}; !slices.Equal(r.Roles, want) {
		t.Errorf("%v are reminded, want %v", r.Roles, want)
	}
	if g := r.Grades["SEV-1"]; g.First != 5*time.Minute || g.Every != 20*time.Minute || g.Escalate != 5*time.Minute {
		t.Errorf("%+v", g)
	}
	if !slices.ContainsFunc(r.Audiences, func(a announce.Audience) bool { return a.ID == "regulator" && a.Clock == 72*time.Hour }) {
		t.Errorf("%+v", r.Audiences)
	}
	template, ok := r.Find("key-customers/first")
	if !ok || template.ID != "holding-statement" || !slices.Equal(template.Must, []string{"service"}) {
		t.Errorf("%+v", template)
	}
	if len(r.Answers) != 1 || r.Answers[0].Route != "payments" || r.Answers[0].Audience != "customers" {
		t.Errorf("%+v", r.Answers)
	}
}

// TestLossesOfAPlan has a process be hit by what it needs, and only hours of the
// service count.
func TestLossesOfAPlan(t *testing.T) {
	p := example(t, "payment-outage")
	if all := binding.Losses(p, nil); len(all) == 0 {
		t.Fatal("nothing is lost")
	}
	hit := binding.Losses(p, []string{"gateway"})
	if len(hit) != 1 || hit[0].Process != "collection" || len(hit[0].Stages) != 2 {
		t.Fatalf("%+v", hit)
	}
	began := time.Date(2026, 3, 2, 2, 0, 0, 0, time.UTC)
	if l := incident.LossOf(&continuity.Incident{ID: "i", Started: began}, hit, nil, began.Add(2*time.Hour)); l.Total[0].Amount != "80000" || l.Total[0].Currency != "CNY" {
		t.Errorf("%+v", l)
	}

	chat := binding.Losses(example(t, "web-chat-outage"), []string{"after-sales"}) // workdays, 08:30 to 21:00 in Shanghai
	for _, c := range []struct {
		from, to string
		want     time.Duration
	}{
		{"2026-03-02 09:00", "2026-03-02 10:00", time.Hour},
		{"2026-03-02 08:00", "2026-03-02 09:00", 30 * time.Minute},
		{"2026-03-02 20:00", "2026-03-03 09:00", 90 * time.Minute},
		{"2026-03-06 20:00", "2026-03-09 09:00", 90 * time.Minute}, // over a weekend
		{"2026-03-07 09:00", "2026-03-07 12:00", 0},
	} {
		from, to := shanghai(t, c.from), shanghai(t, c.to)
		if got := chat[0].Open(from, to); got != c.want {
			t.Errorf("%s to %s: %s count, want %s", c.from, c.to, got, c.want)
		}
	}
}

func shanghai(t *testing.T, text string) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
