package doctor

import (
	"syscall"
	"time"
)

// The years between which a clock is believed; outside, certificates, time
// stamps and evidence are of no use. Ages of records don't depend on it.
const (
	firstYear = 2026
	lastYear  = 2100
)

func clock() []Finding {
	now := time.Now()
	wall := finding("clock", OK, "fine", "now", now.Format(time.RFC3339))
	if y := now.Year(); y < firstYear || y > lastYear {
		wall = finding("clock", Fail, "year", "now", now.Format(time.RFC3339))
	} else if time.Since(now) < 0 {
		wall = finding("clock", Fail, "backwards")
	}
	zones := finding("zones", OK, "fine", "zone", now.Format("MST -07:00"))
	if _, err := time.LoadLocation("Asia/Shanghai"); err != nil {
		zones = finding("zones", Warn, "missing", "cause", err.Error())
	}
	return []Finding{wall, zones}
}

// The numbers of open files below which the relay is short, or useless: a
// client and its upstream take two.
const (
	fewFiles    = 4096
	tooFewFiles = 256
)

func files() Finding {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return finding("files", Warn, "unknown", "cause", err.Error())
	}
	switch n := limit.Cur; {
	case n < tooFewFiles:
		return finding("files", Fail, "few", "count", n, "want", fewFiles)
	case n < fewFiles:
		return finding("files", Warn, "few", "count", n, "want", fewFiles)
	default:
		return finding("files", OK, "fine", "count", n)
	}
}
