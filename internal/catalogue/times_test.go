package catalogue

import (
	"strings"
	"testing"
	"time"
)

func TestLasts(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		0:                                   {"0 s", "0 秒"},
		40 * time.Millisecond:               {"40 ms", "40 毫秒"},
		999_900 * time.Microsecond:          {"1 s", "1 秒"},
		90 * time.Second:                    {"1 min 30 s", "1 分钟 30 秒"},
		5 * time.Minute:                     {"5 min", "5 分钟"},
		4 * time.Hour:                       {"4 h", "4 小时"},
		90*time.Minute + 20*time.Second:     {"1 h 30 min", "1 小时 30 分钟"},
		59*time.Minute + 59700e6:            {"1 h", "1 小时"},
		72 * time.Hour:                      {"3 d", "3 天"},
		51*time.Hour + 10*time.Minute:       {"2 d 3 h", "2 天 3 小时"},
		-time.Hour:                          {"-1 h", "-1 小时"},
		24*time.Hour - 100*time.Millisecond: {"1 d", "1 天"},
	} {
		if got := [2]string{Lasts(En, d), Lasts(Zh, d)}; got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestArgumentsThatWaitForALanguage(t *testing.T) {
	args := Args{"id": "x", "state": "overrun", "state_text": "maintenance.states.overrun"}
	if got := Text(Zh, "maintenance.state", args); !strings.Contains(got, "超时") || strings.Contains(got, "overrun") {
		t.Error(got)
	}
	if args["state"] != "overrun" {
		t.Error("the arguments were changed")
	}
	if got := Text(Zh, "maintenance.invalid.longest", Args{"most_seconds": 14400.0}); !strings.Contains(got, "4 小时") {
		t.Error(got)
	}
	if got := Text(En, "maintenance.state", Args{"id": "x", "state": "odd", "state_text": "no.such"}); !strings.Contains(got, "odd") {
		t.Error(got)
	}
}

func TestDays(t *testing.T) {
	shanghai := time.FixedZone("", 8*3600)
	at := time.Date(2026, 12, 9, 18, 0, 0, 0, time.UTC)
	if got := Moment(at, shanghai); got != "2026-12-10 02:00 UTC+08:00" {
		t.Error(got)
	}
	if got := Moment(at, nil) + Moment(time.Time{}, nil); got != "2026-12-09 18:00 UTC+00:00" {
		t.Error(got)
	}
	if got := DayTime(En, at, shanghai); got != "Thu 2026-12-10 02:00" {
		t.Error(got)
	}
	if got := DayTime(Zh, at, shanghai); got != "2026-12-10（周四）02:00" {
		t.Error(got)
	}
}
