package incident_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/continuity"
	"holdfast/internal/incident"
)

// TestLossSoFar has the rate run, stages lift it, hours of the service count alone,
// and currencies stay apart; to a ten-thousandth.
func TestLossSoFar(t *testing.T) {
	began := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	cny := func(n int64) continuity.Money { return continuity.Money{Units: n * 10000, Currency: "CNY"} }
	rate := incident.Losing{Process: "p", Rate: cny(30000), Per: time.Hour}
	staged := rate
	staged.Stages = []incident.LossStage{
		{After: 2 * time.Hour, Loss: cny(80000), Says: continuity.Text{En: "complaints"}}, {After: 30 * time.Minute, Loss: cny(10000)}, {After: 3 * time.Hour, Says: continuity.Text{En: "never"}},
	}
	for _, c := range []struct {
		name string
		of   []incident.Losing
		d    time.Duration
		want []incident.Amount
	}{
		{"nothing yet", []incident.Losing{rate}, 0, []incident.Amount{{"0", "CNY"}}},
		{"by the hour", []incident.Losing{rate}, 20 * time.Minute, []incident.Amount{{"10000", "CNY"}}},
		{"exact", []incident.Losing{{Rate: continuity.Money{Units: 1, Currency: "CNY"}, Per: 3 * time.Second}}, 5 * time.Second, []incident.Amount{{"0.0002", "CNY"}}},
		{"a month of much", []incident.Losing{{Rate: continuity.Money{Units: continuity.MostUnits, Currency: "CNY"}, Per: time.Hour}}, 1000 * time.Hour, []incident.Amount{{"100000000000000", "CNY"}}},
		{"a stage below the rate", []incident.Losing{staged}, time.Hour, []incident.Amount{{"30000", "CNY"}}},
		{"a stage lifts", []incident.Losing{staged}, 2 * time.Hour, []incident.Amount{{"80000", "CNY"}}},
		{"and the rate runs on", []incident.Losing{staged}, 150 * time.Minute, []incident.Amount{{"95000", "CNY"}}},
		{"a stage alone", []incident.Losing{{Stages: staged.Stages}}, 5 * time.Hour, []incident.Amount{{"80000", "CNY"}}},
		{"nothing said", []incident.Losing{{Process: "p"}}, time.Hour, []incident.Amount{}},
		{"currencies apart", []incident.Losing{rate, {Rate: continuity.Money{Units: 1000000, Currency: "USD"}, Per: time.Minute}, rate}, time.Minute, []incident.Amount{{"1000", "CNY"}, {"100", "USD"}}},
		{"in the hours of the service", []incident.Losing{{Rate: cny(60), Per: time.Hour, Open: func(from, to time.Time) time.Duration { return to.Sub(from) / 2 }}}, time.Hour, []incident.Amount{{"30", "CNY"}}},
	} {
		l := incident.LossOf(&continuity.Incident{ID: "i", Started: began}, c.of, nil, began.Add(c.d))
		if diff := cmp.Diff(c.want, l.Total); diff != "" {
			t.Errorf("%s: -want +got:\n%s", c.name, diff)
		}
	}
	l := incident.LossOf(&continuity.Incident{ID: "i", Started: began, Partial: true, Restored: began.Add(150 * time.Minute), Resolved: began.Add(9 * time.Hour)}, []incident.Losing{staged}, nil, began.Add(99*time.Hour))
	if l.Running || !l.AtMost || l.Total[0].Amount != "95000" || l.Processes[0].Counted != 9000 || len(l.Processes[0].Says) != 1 || l.Processes[0].Says[0].En != "complaints" {
		t.Errorf("%+v", l)
	}
}

// TestWhatTwoIncidentsHitCountsOnce has each minute of a process count for one incident:
// of what was split off for the part, else for the first one, and last where a part fails.
func TestWhatTwoIncidentsHitCountsOnce(t *testing.T) {
	began := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	at := func(minutes int) time.Time { return began.Add(time.Duration(minutes) * time.Minute) }
	made := func(id string, declared, from, until int) incident.Hitting {
		return incident.Hitting{Incident: continuity.Incident{ID: id, Declared: at(declared), Started: at(from), Restored: at(until)}, Processes: []string{"p", "q"}}
	}
	split := func(h incident.Hitting) incident.Hitting {
		h.Origin = continuity.Origin{Kind: continuity.KindIncident, ID: "a"}
		return h
	}
	partial := func(h incident.Hitting) incident.Hitting {
		h.Partial = true
		return h
	}
	first, elsewhere := made("a", 0, 0, 10), made("b", 5, 0, 20)
	first.Processes, elsewhere.Processes = []string{"p"}, []string{"q"}
	again := made("b", 5, 0, 2)
	again.Downs, again.Fell, again.Restored = []continuity.Down{{From: at(0), Until: at(2)}}, at(8), at(30)
	for name, c := range map[string]struct {
		one, two   incident.Hitting
		here, gone float64 // minutes that count for each
	}{
		"the first":         {made("a", 0, 0, 10), made("b", 5, 5, 15), 10, 5},
		"apart":             {made("a", 0, 0, 10), made("b", 11, 10, 15), 10, 5},
		"split off":         {made("a", 0, 0, 6), split(made("b", 5, 0, 10)), 0, 10},
		"split off, longer": {made("a", 0, 0, 10), split(made("b", 5, 0, 6)), 4, 6},
		"of a part":         {split(made("b", 5, 0, 10)), split(made("c", 6, 0, 10)), 0, 10},
		"a part fails":      {partial(made("a", 0, 0, 10)), made("b", 5, 5, 15), 5, 10},
		"another process":   {first, elsewhere, 10, 20},
		"with a gap":        {made("a", 0, 0, 10), again, 10, 20},
		"in the gap":        {again, made("c", 6, 0, 10), 24, 6},
	} {
		count := func(i, other incident.Hitting) (minutes float64) {
			l := incident.LossOf(&i.Incident, []incident.Losing{{Process: i.Processes[0]}}, []incident.Hitting{other}, at(99))
			p := l.Processes[0]
			if with := p.Others > 0; p.Counted+p.Others != l.Down || with != (len(p.CountedIn) == 1 && p.CountedIn[0] == other.ID) {
				t.Errorf("%s: %+v", name, l)
			}
			return p.Counted / 60
		}
		if here, gone := count(c.one, c.two), count(c.two, c.one); here != c.here || gone != c.gone {
			t.Errorf("%s: %v and %v, want %v and %v", name, here, gone, c.here, c.gone)
		}
	}
}
