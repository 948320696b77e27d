package plan

import (
	"math"
	"net"
	"net/mail"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a plan's zone is known on every machine

	"holdfast/internal/calendar"
	"holdfast/internal/yamldoc"
)

// kinds are the ways in which the texts of a plan are read.
var kinds = yamldoc.Basic()

func init() { // not a literal: kinds are built of each other
	for name, kind := range map[string]yamldoc.Kind{
		"person":       form(personPattern, "plan.person"),
		"grade":        form(`^SEV-[1-4]$`, "plan.grade"),
		"phone":        form(`^\+?[0-9][0-9 -]{2,20}[0-9]$`, "plan.phone"),
		"header":       form("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "config.header-name"), // RFC 9110 token
		"pointer":      form(`^(/([^~/]|~[01])*)+$`, "plan.pointer"),
		"status":       {Parse: form(statusPattern, "config.status").Parse, Schema: statusSchema},
		"period":       {Parse: parsePeriod, Schema: yamldoc.Pattern(`^[0-9]+(m|h|d|w|mo|y)$`)},
		"money":        {Parse: parseMoney, Schema: yamldoc.Pattern(`^` + amountPattern + ` [A-Z]{3}$`)},
		"loss":         {Parse: parseLoss, Schema: yamldoc.Pattern(`^` + amountPattern + ` [A-Z]{3}/(min|h|d)$`)},
		"availability": {Parse: parseAvailability, Schema: yamldoc.Pattern(`^[0-9]+(\.[0-9]+)?%$`)},
		"figure":       {Parse: parseFigure, Schema: yamldoc.AnyScalar},
		"clock":        {Parse: parseClock, Schema: yamldoc.Pattern(`^([01][0-9]|2[0-4]):[0-5][0-9]$`)},
		"date":         {Parse: parseDate, Schema: yamldoc.Pattern(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)},
		"zone":         {Parse: parseZone, Schema: yamldoc.Pattern(`^.+$`)},
		"mail":         {Parse: parseMail, Schema: yamldoc.Pattern(`^[^@ ]+@[^@ ]+$`)},
		"url":          {Parse: parseURL, Schema: yamldoc.Pattern(`^https?://.+$`)},
		"hostport":     {Parse: parseHostPort, Schema: yamldoc.Pattern(`^.+:[0-9]+$`)},
		"path":         form(`^/.*$`, "plan.path"),
		"versions":     form(versionsPattern, "plan.versions"),
		"cron":         {Parse: parseCron, Schema: yamldoc.Pattern(`^(\S+\s+){4}\S+$`)},
		"pattern":      {Parse: parsePattern, Schema: yamldoc.AnyScalar, Free: true},
		"action":       {Parse: parseAction, Schema: func(tag reflect.StructTag) map[string]any { return yamldoc.Enum(actionNames)(tag) }},
	} {
		kinds[name] = kind
	}
}

const (
	personPattern   = `^[a-z][a-z0-9]*([._-][a-z0-9]+)*$`
	statusPattern   = `^([1-5]xx|[1-5][0-9][0-9])$`
	versionsPattern = `^(>=|<=|>|<|=)? ?[0-9]+(\.[0-9]+)*( ?, ?(>=|<=|>|<|=)? ?[0-9]+(\.[0-9]+)*)*$`
	amountPattern   = `[0-9]+(\.[0-9]{1,4})?`
)

// statusSchema takes what an editor's YAML takes for a number, too.
func statusSchema(tag reflect.StructTag) map[string]any {
	number := map[string]any{"type": "integer", "minimum": 100, "maximum": 599}
	return map[string]any{"anyOf": []any{yamldoc.Pattern(statusPattern)(tag), number}}
}

// form is a kind whose values are texts of a form.
func form(pattern, id string) yamldoc.Kind {
	expression := regexp.MustCompile(pattern)
	return yamldoc.Kind{
		Parse: func(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
			if !expression.MatchString(text) {
				return nil, yamldoc.Wrong(id)
			}
			return text, nil
		},
		Schema: yamldoc.Pattern(pattern),
	}
}

var periodForm = regexp.MustCompile(`^([0-9]{1,5})(m|h|d|w|mo|y)$`)

func parsePeriod(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	parts := periodForm.FindStringSubmatch(text)
	if parts == nil {
		return nil, yamldoc.Wrong("plan.period")
	}
	n, _ := strconv.Atoi(parts[1])
	if n == 0 {
		return nil, yamldoc.Wrong("config.positive")
	}
	switch parts[2] {
	case "m":
		return Period{Exact: time.Duration(n) * time.Minute}, nil
	case "h":
		return Period{Exact: time.Duration(n) * time.Hour}, nil
	case "d":
		return Period{Days: n}, nil
	case "w":
		return Period{Days: 7 * n}, nil
	case "mo":
		return Period{Months: n}, nil
	}
	return Period{Months: 12 * n}, nil
}

var moneyForm = regexp.MustCompile(`^([0-9]{1,13})(?:\.([0-9]{1,4}))? ([A-Z]{3})$`)

func parseMoney(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	m, ok := amount(text)
	if !ok {
		return nil, yamldoc.Wrong("plan.money")
	}
	return m, nil
}

func amount(text string) (Money, bool) {
	parts := moneyForm.FindStringSubmatch(text)
	if parts == nil {
		return Money{}, false
	}
	whole, _ := strconv.ParseInt(parts[1], 10, 64)
	fraction, _ := strconv.ParseInt((parts[2] + "0000")[:4], 10, 64)
	return Money{Parts: whole*MoneyParts + fraction, Currency: parts[3]}, true
}

func parseLoss(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	sum, unit, _ := strings.Cut(text, "/")
	m, ok := amount(sum)
	per, known := map[string]time.Duration{"min": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[unit]
	if !ok || !known {
		return nil, yamldoc.Wrong("plan.loss")
	}
	return Loss{m, per}, nil
}

func parseAvailability(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	n, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || !strings.HasSuffix(text, "%") || n <= 0 || n >= 100 {
		return nil, yamldoc.Wrong("plan.availability")
	}
	return n / 100, nil
}

var (
	figureForm = regexp.MustCompile(`^(-?[0-9]+(?:\.[0-9]+)?)([a-zA-Z%]*)$`)
	units      = map[string]float64{
		"": 1, "%": 0.01, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400,
		"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
	}
)

// parseFigure reads what a measure is compared with, in the base units that
// measures have: seconds, bytes, shares of one.
func parseFigure(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	parts := figureForm.FindStringSubmatch(text)
	if parts == nil {
		return nil, yamldoc.Wrong("plan.figure")
	}
	unit, known := units[parts[2]]
	n, err := strconv.ParseFloat(parts[1], 64)
	if !known || err != nil || math.IsInf(n, 0) {
		return nil, yamldoc.Wrong("plan.figure")
	}
	return n * unit, nil
}

// parseClock reads a time of day; 24:00 is the midnight that ends the day.
func parseClock(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	if text == "24:00" {
		return 24 * time.Hour, nil
	}
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return nil, yamldoc.Wrong("config.clock")
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

// parseCron reads a schedule; it stays as it is written.
func parseCron(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	_, fault := calendar.ParseCron(text)
	switch {
	case fault == nil:
		return text, nil
	case fault.Place == 0:
		return nil, yamldoc.Wrong("plan.cron")
	case fault.Part == "":
		return nil, yamldoc.Wrong("plan.cron-never")
	}
	return nil, yamldoc.Wrong("plan.cron-part", "part", fault.Part, "place", fault.Place)
}

func parseDate(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	if _, err := time.Parse(time.DateOnly, text); err != nil {
		return nil, yamldoc.Wrong("config.date")
	}
	return text, nil
}

func parseZone(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	if _, err := time.LoadLocation(text); err != nil || text == "Local" {
		return nil, yamldoc.Wrong("config.zone")
	}
	return text, nil
}

func parseMail(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	if a, err := mail.ParseAddress(text); err != nil || a.Address != text {
		return nil, yamldoc.Wrong("plan.mail")
	}
	return text, nil
}

func parseURL(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	u, err := url.Parse(text)
	switch {
	case err == nil && u.User != nil:
		return nil, yamldoc.Wrong("config.url-user")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Fragment != "":
		return nil, yamldoc.Wrong("config.url")
	}
	return text, nil
}

func parseHostPort(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	host, port, err := net.SplitHostPort(text)
	n, bad := strconv.Atoi(port)
	if err != nil || bad != nil || host == "" || n < 1 || n > 65535 {
		return nil, yamldoc.Wrong("config.address")
	}
	return text, nil
}

func parsePattern(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	if _, err := regexp.Compile(text); err != nil || text == "" {
		return nil, yamldoc.Wrong("plan.pattern")
	}
	return text, nil
}

func parseAction(text string, _ reflect.StructTag) (any, *yamldoc.Fault) {
	if _, ok := actions[text]; ok {
		return text, nil
	}
	if near, ok := yamldoc.Nearest(text, actionNames); ok {
		return nil, yamldoc.Wrong("plan.action-near", "near", near)
	}
	return nil, yamldoc.Wrong("plan.action", "words", actionNames)
}
