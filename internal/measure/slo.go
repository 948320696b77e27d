package measure

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// SLO is a promise about requests: how many of them, at least, are good.
type SLO struct {
	Name   string
	Target float64 // 0.999
	Bad    string  // the counter of bad requests, or
	Good   string  // that of good ones
	Total  string  // the counter of all
	Up     string  // a gauge that is 1 while it is kept and 0 while not; in place of counters
	// Window is the time that the budget is for; 30 days. In a shorter one the
	// same burning is less fast: what wakes somebody is the share that is gone.
	Window time.Duration
}

var (
	sloLine   = regexp.MustCompile(`^(\d{1,2}(?:\.\d+)?)\s*%\s+of\s+(.+)$`)
	sloNot    = regexp.MustCompile(`^(.*[\w}])\s+(?:not|without)\s+\{(.+)\}$`)
	sloWithin = regexp.MustCompile(`^(.*[\w}])\s+within\s+(\S+)$`)
)

// NewSLO reads an SLO as it stands in a plan. Bad requests are told by labels,
// or slow ones by a bucket of a histogram:
//
//	99.9% of relay_requests_total{route="orders"} not {code=~"5.."}
//	99% of relay_request_seconds{route="orders"} within 500ms
func NewSLO(name, line string) (SLO, error) {
	m := sloLine.FindStringSubmatch(strings.TrimSpace(line))
	if m == nil {
		return SLO{}, invalid("an SLO reads like this: 99.9%% of requests_total not {code=~\"5..\"}")
	}
	percent, err := strconv.ParseFloat(m[1], 64)
	if err != nil || percent <= 0 || percent >= 100 {
		return SLO{}, invalid("%s%% is no target between 0%% and 100%%", m[1])
	}
	slo := SLO{Name: name, Target: percent / 100}
	if not := sloNot.FindStringSubmatch(m[2]); not != nil {
		slo.Total, slo.Bad = not[1], withMatchers(not[1], not[2])
	} else if within := sloWithin.FindStringSubmatch(m[2]); within != nil {
		d, err := model.ParseDuration(within[2])
		if err != nil || d <= 0 {
			return SLO{}, invalid("%q is no duration such as 500ms or 2s", within[2])
		}
		le := strconv.FormatFloat(time.Duration(d).Seconds(), 'f', -1, 64)
		slo.Total = ofHistogram(within[1], "_count")
		// Some write the bound of a bucket as 1, others as 1.0.
		bounds := le
		if !strings.Contains(le, ".") {
			bounds = le + "|" + le + `\\.0`
		} else {
			bounds = strings.ReplaceAll(le, ".", `\\.`)
		}
		slo.Good = withMatchers(ofHistogram(within[1], "_bucket"), `le=~"`+bounds+`"`)
	} else {
		return SLO{}, invalid("an SLO says what is bad by not {...}, or what is slow by within 500ms")
	}
	return slo, slo.Check()
}

// Check returns an error for an SLO that was put together and can't work.
func (s *SLO) Check() error {
	if !(s.Target > 0 && s.Target < 1) {
		return invalid("%g is no target between 0 and 1", s.Target)
	}
	for _, series := range []string{s.Total, s.Bad, s.Good, s.Up} {
		if series != "" {
			if err := selects(series); err != nil {
				return err
			}
		}
	}
	return nil
}

// withMatchers adds matchers to those that a series has.
func withMatchers(series, more string) string {
	if base, ok := strings.CutSuffix(strings.TrimSpace(series), "}"); ok {
		if base = strings.TrimSpace(base); !strings.HasSuffix(base, "{") && !strings.HasSuffix(base, ",") {
			base += ","
		}
		return base + more + "}"
	}
	return strings.TrimSpace(series) + "{" + more + "}"
}

// burning are the rates of burning an SLO's budget that are worth a warning,
// each over a long time, so that it is significant, and a short one, so that it
// ends soon after its cause. At 14.4 a budget of 30 days is gone in two days.
var burning = []struct {
	id          string
	factor      float64
	long, short string
	level       string
}{
	{"fast", 14.4, "1h", "5m", "red"},   // page
	{"slow", 6, "6h", "30m", "red"},     // page
	{"ticket", 1, "3d", "6h", "yellow"}, // ticket
}

// usual is the window that the rates of burning are for.
const usual = 30 * 24 * time.Hour

// Rules returns the thresholds of the SLO's budget: NAME.fast and NAME.slow are
// to wake somebody, NAME.ticket is for working hours. What they measure is how
// many times faster than allowed the budget is spent, over both times.
func (s SLO) Rules() []Rule {
	var rules []Rule
	for _, b := range burning {
		m := Measure{Name: s.Name + ".burn." + b.id, Exprs: []string{s.burn(b.long), s.burn(b.short)}}
		limit := b.factor
		if s.Window > 0 {
			limit = max(1, limit*float64(s.Window)/float64(usual))
		}
		// The two times are hysteresis enough.
		rules = append(rules, Rule{ID: s.Name + "." + b.id, Measure: m, Limit: limit, Clear: &limit, Level: b.level})
	}
	return rules
}

func (s SLO) burn(over string) string {
	budget := strconv.FormatFloat(1-s.Target, 'g', 12, 64)
	if s.Up != "" {
		return "(1 - avg(avg_over_time(" + s.Up + "[" + over + "]))) / " + budget
	}
	if s.Good != "" {
		return "(1 - " + share(s.Good, s.Total, over) + ") / " + budget
	}
	return share(s.Bad, s.Total, over) + " / " + budget
}
