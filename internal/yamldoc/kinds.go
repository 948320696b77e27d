package yamldoc

import (
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Basic are the kinds that every language of documents shares; the map is the
// caller's to add to.
func Basic() map[string]Kind {
	return map[string]Kind{
		"text":     {Parse: parseText, Schema: AnyScalar, Free: true},
		"word":     {Parse: parseWord, Schema: wordSchema},
		"bool":     {Parse: parseBool, Schema: func(reflect.StructTag) map[string]any { return map[string]any{"type": "boolean"} }},
		"int":      {Parse: parseInt, Schema: intSchema},
		"number":   {Parse: parseNumber, Schema: numberSchema},
		"duration": {Parse: parseDuration, Schema: OrZero(`^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$`)},
		"size":     {Parse: parseSize, Schema: OrZero(`^[0-9]+(\.[0-9]+)? ?(B|[kMGT]B|[KMGT]iB)$`)},
		"rate":     {Parse: parseRate, Schema: Pattern(`^[0-9]+(\.[0-9]+)?/(s|min|h)$`)},
		"percent":  {Parse: parsePercent, Schema: Pattern(`^[0-9]+(\.[0-9]+)?%$`)},
		"id":       {Parse: parseID, Schema: Pattern(idPattern)},
		"env":      {Parse: parseEnv, Schema: Pattern(envPattern)},
	}
}

const (
	idPattern  = `^[a-z][a-z0-9-]{0,62}$`
	envPattern = `^[A-Za-z_][A-Za-z0-9_]*$`
)

var (
	idForm     = regexp.MustCompile(idPattern)
	envForm    = regexp.MustCompile(envPattern)
	headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$") // RFC 9110 token
)

func parseText(text string, _ reflect.StructTag) (any, *Fault) {
	if strings.TrimSpace(text) == "" {
		return nil, Wrong("config.no-value")
	}
	return text, nil
}

func parseWord(text string, tag reflect.StructTag) (any, *Fault) {
	words := strings.Split(tag.Get("of"), ",")
	if slices.Contains(words, text) {
		return text, nil
	}
	if near, ok := Nearest(text, words); ok {
		return nil, Wrong("config.word-near", "near", near)
	}
	return nil, Wrong("config.word", "words", words)
}

func parseBool(text string, _ reflect.StructTag) (any, *Fault) {
	switch text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	for near, others := range map[string][]string{"true": {"yes", "on", "1"}, "false": {"no", "off", "0"}} {
		if strings.EqualFold(text, near) || slices.Contains(others, strings.ToLower(text)) {
			return nil, Wrong("config.bool-near", "near", near)
		}
	}
	return nil, Wrong("config.bool")
}

var integer = regexp.MustCompile(`^-?[0-9]+$`)

func parseInt(text string, tag reflect.StructTag) (any, *Fault) {
	if !integer.MatchString(text) {
		return nil, Wrong("config.int")
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, Wrong("config.int")
	}
	low, high := int64(0), int64(math.MaxInt32)
	if v := tag.Get("min"); v != "" {
		low, _ = strconv.ParseInt(v, 10, 64)
	}
	if v := tag.Get("max"); v != "" {
		high, _ = strconv.ParseInt(v, 10, 64)
	}
	if n < low || n > high {
		return nil, Wrong("config.range", "min", low, "max", high)
	}
	return n, nil
}

var decimal = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?`)

// quantity splits a text into its number and its unit.
func quantity(text string) (number float64, unit string, ok bool) {
	digits := decimal.FindString(text)
	number, err := strconv.ParseFloat(digits, 64)
	return number, text[len(digits):], digits != "" && err == nil
}

func parseNumber(text string, _ reflect.StructTag) (any, *Fault) {
	n, unit, ok := quantity(text)
	if !ok || unit != "" || n < 0.1 || n > 10 {
		return nil, Wrong("config.number")
	}
	return n, nil
}

var durations = map[string]time.Duration{
	"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
}

const longest = 3650 * 24 * time.Hour

func parseDuration(text string, tag reflect.StructTag) (any, *Fault) {
	bare := strings.TrimPrefix(text, "-")
	n, unit, ok := quantity(bare)
	one, known := durations[unit]
	switch {
	case ok && unit == "" && n == 0 && tag.Get("zero") == "ok":
		return time.Duration(0), nil
	case ok && unit == "":
		return nil, Wrong("config.no-unit", "unit", "s")
	case ok && (unit == "mo" || unit == "y" || unit == "w"):
		return nil, Wrong("config.calendar")
	case !ok || !known:
		return nil, Wrong("config.duration")
	case bare != text && tag.Get("zero") == "ok":
		return nil, Wrong("config.negative")
	case bare != text || n == 0 && tag.Get("zero") != "ok":
		return nil, Wrong("config.positive")
	case n*float64(one) > float64(longest):
		return nil, Wrong("config.too-long")
	}
	return time.Duration(math.Round(n * float64(one))), nil
}

var sizes = map[string]int64{
	"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
	"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
}

func parseSize(text string, tag reflect.StructTag) (any, *Fault) {
	bare := strings.TrimPrefix(text, "-")
	n, unit, ok := quantity(bare)
	unit = strings.TrimPrefix(unit, " ")
	one, known := sizes[unit]
	if !known && ok && unit != "" {
		for _, name := range slices.Sorted(maps.Keys(sizes)) {
			if strings.EqualFold(name, unit) || strings.EqualFold(name, unit+"B") || strings.EqualFold(name, unit+"iB") {
				return nil, Wrong("config.size-near", "near", strings.TrimSuffix(bare, unit)+name)
			}
		}
	}
	switch {
	case ok && unit == "" && n == 0 && tag.Get("zero") == "ok":
		return int64(0), nil
	case ok && unit == "":
		if n >= 1024 {
			return nil, Wrong("config.no-unit", "unit", "B")
		}
		return nil, Wrong("config.no-unit", "unit", "MiB")
	case !ok || !known || bare != strings.TrimSpace(bare):
		return nil, Wrong("config.size")
	case bare != text && tag.Get("zero") == "ok":
		return nil, Wrong("config.negative")
	case bare != text || n == 0 && tag.Get("zero") != "ok":
		return nil, Wrong("config.positive")
	case n*float64(one) > 1<<50:
		return nil, Wrong("config.too-big")
	}
	return int64(n * float64(one)), nil
}

func parseRate(text string, _ reflect.StructTag) (any, *Fault) {
	bare := strings.TrimPrefix(text, "-")
	n, unit, ok := quantity(bare)
	per, known := map[string]float64{"/s": 1, "/min": 60, "/h": 3600}[unit]
	switch {
	case ok && unit == "":
		return nil, Wrong("config.no-unit", "unit", "/s")
	case !ok || !known:
		return nil, Wrong("config.rate")
	case bare != text || n == 0:
		return nil, Wrong("config.capacity-zero")
	}
	return n / per, nil
}

func parsePercent(text string, _ reflect.StructTag) (any, *Fault) {
	n, unit, ok := quantity(strings.TrimPrefix(text, "-"))
	switch {
	case ok && unit == "":
		return nil, Wrong("config.no-unit", "unit", "%")
	case !ok || unit != "%":
		return nil, Wrong("config.percent")
	case strings.HasPrefix(text, "-") || n < 1 || n > 100:
		return nil, Wrong("config.percent-range")
	}
	return n / 100, nil
}

func parseID(text string, _ reflect.StructTag) (any, *Fault) {
	if !idForm.MatchString(text) {
		return nil, Wrong("config.id")
	}
	return text, nil
}

func parseEnv(text string, _ reflect.StructTag) (any, *Fault) {
	if !envForm.MatchString(text) {
		return nil, Wrong("config.env-name")
	}
	return text, nil
}
