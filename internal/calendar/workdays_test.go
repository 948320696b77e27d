package calendar_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"holdfast/internal/calendar"
)

// TestChinasYears holds the data to what the notices add up to.
func TestChinasYears(t *testing.T) {
	china := calendar.China()
	for year, madeUp := range map[int]int{2019: 6, 2020: 6, 2021: 7, 2022: 7, 2023: 7, 2024: 8, 2025: 5, 2026: 6} {
		// Days off are moved, not given: what is left is the year without its
		// weekends and the days off by law.
		want := -11
		if year >= 2025 {
			want = -13
		}
		if year == 2020 {
			want -= 2 // Spring Festival was made longer by a working Friday and a made-up Saturday
		}
		for d := (calendar.Date{Year: year, Month: 1, Day: 1}); d.Year == year; d = d.Plus(1) {
			if w := d.Weekday(); w != time.Saturday && w != time.Sunday {
				want++
			}
		}
		working, made := 0, 0
		for d := (calendar.Date{Year: year, Month: 1, Day: 1}); d.Year == year; d = d.Plus(1) {
			day := china.Day(d)
			if day.Working() {
				working++
			}
			switch day.Kind {
			case calendar.MakeUp:
				made++
				if w := d.Weekday(); w != time.Saturday && w != time.Sunday {
					t.Errorf("%s is made up for, and a %s", d, w)
				}
			case calendar.Holiday:
				if day.Name.Zh == "" || day.Name.En == "" || day.Source == "" {
					t.Errorf("%+v", day)
				}
			}
		}
		if working != want || made != madeUp {
			t.Errorf("%d: %d working days, %d made up; want %d, %d", year, working, made, want, madeUp)
		}
	}
}

func TestWorkingDaysAreCounted(t *testing.T) {
	china := calendar.China()
	for _, c := range []struct {
		from string
		n    int
		want string
	}{
		{"2026-09-30", 1, "2026-10-08"}, // over National Day
		{"2026-10-09", 1, "2026-10-10"}, // a Saturday that is worked on
		{"2026-10-08", -1, "2026-09-30"},
		{"2026-02-13", 2, "2026-02-24"},
		{"2026-10-03", 0, "2026-10-03"},
		{"2018-12-31", 1, "2019-01-02"},
	} {
		got, _, err := china.Add(day(t, c.from), c.n)
		if err != nil || got != day(t, c.want) {
			t.Errorf("%s %+d: %s, %v; want %s", c.from, c.n, got, err, c.want)
		}
		if c.n >= 0 {
			if n, _, err := china.Between(day(t, c.from), got); err != nil || n != c.n {
				t.Errorf("between %s and %s: %d, %v", c.from, got, n, err)
			}
		}
	}
	if _, _, err := china.Add(day(t, "2026-01-01"), 10_001); detail(err) != "calendar.too-far" {
		t.Error(err)
	}
	week := calendar.Weekends(0, 1, 2, 3, 4, 5, 6)
	if _, _, err := week.Add(day(t, "2026-01-01"), 1); detail(err) != "calendar.no-workdays" {
		t.Error(err)
	}
}

// TestSpecialDaysAreNamed counts the days around National Day of 2025.
func TestSpecialDaysAreNamed(t *testing.T) {
	from, to := calendar.Date{Year: 2025, Month: 9, Day: 28}, calendar.Date{Year: 2025, Month: 10, Day: 11}
	got, err := calendar.China().Count(from, to)
	if err != nil || got.Working != 6 || len(got.Days) != 10 || got.Days[0].Kind != calendar.MakeUp || got.Days[9].Kind != calendar.MakeUp || len(got.Doubts) != 0 {
		t.Errorf("%+v %v", got, err)
	}
	if one, err := calendar.China().Count(from, from); err != nil || one.Working != 1 {
		t.Errorf("%+v %v", one, err)
	}
	for _, to := range []calendar.Date{from.Plus(-1), from.Plus(401)} {
		if got, err := calendar.China().Count(from, to); err == nil {
			t.Errorf("%+v", got)
		}
	}
}

func TestAYearWithoutNoticeIsSaid(t *testing.T) {
	china := calendar.China()
	for text, want := range map[string]string{
		"2026-06-01": "", "2026-12-28": calendar.YearsEnd, "2027-10-01": calendar.WeekendsOnly, "2018-06-01": calendar.WeekendsOnly,
		"2018-12-31": "", // 2019's notice
	} {
		got := ""
		if w := china.Day(day(t, text)).Warning; w != nil {
			got = w.ID
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	_, doubts, err := china.Add(day(t, "2026-12-25"), 10)
	if err != nil || len(doubts) != 2 || doubts[1] != (calendar.Doubt{ID: calendar.WeekendsOnly, Year: 2027}) {
		t.Errorf("%v, %v", doubts, err)
	}
	if w := calendar.Weekends(time.Sunday).Day(day(t, "2027-10-01")).Warning; w != nil {
		t.Errorf("nobody claims more than weekends: %v", w)
	}
}

func TestAFileGoesOverWhatIsKnown(t *testing.T) {
	w, problems := calendar.China().With("own.yaml", []byte(`schema: holdfast/workdays@1
years:
  - year: 2027
    source: Notice of 2027
    off: [{from: 2027-01-01, name: {en: New Year, zh: 元旦}}]
    work: [2027-01-03]
off: [{from: 2026-06-01, name: {en: Founding day}}]
work: [2026-10-07]
`))
	if len(problems) > 0 {
		t.Fatalf("%+v", problems)
	}
	for text, want := range map[string]calendar.Kind{
		"2027-01-01": calendar.Holiday, "2027-01-03": calendar.MakeUp, "2027-10-01": calendar.Workday,
		"2026-06-01": calendar.Holiday, "2026-10-07": calendar.Workday, "2026-10-06": calendar.Holiday,
	} {
		if got := w.Day(day(t, text)); got.Kind != want || got.Warning != nil {
			t.Errorf("%s: %+v, want %s", text, got, want)
		}
	}
	if w.Day(day(t, "2026-12-31")).Warning != nil || calendar.China().Day(day(t, "2027-01-01")).Warning == nil {
		t.Error("2027 is known with the file, and without it not")
	}
	for src, want := range map[string]string{
		"years: [{year: 2027, source: x, off: [{from: 2026-05-01}]}]\n":                     "calendar.other-year",
		"years: [{year: 2027, source: x, off: [{from: 2027-05-01}], work: [2027-05-01]}]\n": "calendar.twice",
		"off: [{from: 2027-05-02, to: 2027-05-01}]\n":                                       "calendar.span",
		"work: [2027-02-29]\n":  "config.date",
		"weekend: [caturday]\n": "config.word-near",
	} {
		_, problems := calendar.China().With("own.yaml", []byte("schema: holdfast/workdays@1\n"+src))
		if len(problems) != 1 || problems[0].ID != want {
			t.Errorf("%s: %+v, want %s", src, problems, want)
		}
	}
}

// TestTheGuidesFileIsRead holds the example of docs/calendar.md to the language.
func TestTheGuidesFileIsRead(t *testing.T) {
	for _, page := range []string{"calendar.md", "calendar.zh.md"} {
		src, err := os.ReadFile("../../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(src), "```yaml\n")
		file, _, found := strings.Cut(rest, "```")
		w, problems := calendar.China().With(page, []byte(file))
		if !found || len(problems) > 0 {
			t.Fatalf("%s: %+v", page, problems)
		}
		if got := w.Day(day(t, "2027-01-09")).Kind; got != calendar.MakeUp {
			t.Errorf("%s: %s", page, got)
		}
	}
}
