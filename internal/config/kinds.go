package config

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

// kind says how a scalar's text is read and what JSON Schema says of it.
type kind struct {
	parse  func(text string, tag reflect.StructTag) (any, *fault)
	schema func(tag reflect.StructTag) map[string]any
	// free texts may hold anything, full-width punctuation too.
	free bool
}

// fault is what is wrong with a text: a message id and where in the text.
type fault struct {
	id     string
	from   int // in characters
	length int // 0: to the end
	args   []any
}

func wrong(id string, args ...any) *fault { return &fault{id: id, args: args} }

var kinds map[string]kind

func init() { // not a literal: kinds are built of each other
	kinds = map[string]kind{
		"text":        {parse: parseText, schema: anyScalar, free: true},
		"word":        {parse: parseWord, schema: wordSchema},
		"bool":        {parse: parseBool, schema: func(reflect.StructTag) map[string]any { return map[string]any{"type": "boolean"} }},
		"credentials": {parse: parseCredentials, schema: credentialsSchema},
		"int":         {parse: parseInt, schema: intSchema},
		"number":      {parse: parseNumber, schema: numberSchema},
		"duration":    {parse: parseDuration, schema: orZero(`^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$`)},
		"size":        {parse: parseSize, schema: orZero(`^[0-9]+(\.[0-9]+)? ?(B|[kMGT]B|[KMGT]iB)$`)},
		"rate":        {parse: parseRate, schema: pattern(`^[0-9]+(\.[0-9]+)?/(s|min|h)$`)},
		"percent":     {parse: parsePercent, schema: pattern(`^[0-9]+(\.[0-9]+)?%$`)},
		"id":          {parse: parseID, schema: pattern(idPattern)},
		"env":         {parse: parseEnv, schema: pattern(envPattern)},
		"address":     {parse: parseAddress, schema: pattern(`^.*:[0-9]+$`)},
		"upstream":    {parse: parseUpstream, schema: pattern(`^https?://[^/?#@]+$`)},
		"cidr":        {parse: parseCIDR, schema: pattern(`^[0-9a-fA-F:.]+(/[0-9]+)?$`)},
		"name":        {parse: parseName, schema: pattern(`^[0-9A-Za-z:.-]+$`)},
		"https":       {parse: parseHTTPS, schema: pattern(`^https://.+$`)},
		"file":        {parse: parseText, schema: pattern(`^.+$`), free: true},
		"host":        {parse: parseHost, schema: pattern(hostPattern)},
		"path":        {parse: parsePath, schema: pattern(`^/[^*?#]*(/\*\*)?$`)},
		"target":      {parse: parseTarget, schema: pattern(`^/[^#]*$`)},
		"method":      {parse: parseMethod, schema: enum(methods)},
		"selector":    {parse: parseSelector, schema: pattern(`^(none|header:.+|path:[1-9][0-9]*|json:/.*|form:.+|xml:/.+)$`)},
		"field":       {parse: parseField, schema: pattern(`^(json:/.*|form:.+|xml:/.+)$`)},
		"body":        {parse: parseBodyPointer, schema: pattern(`^json:/.*$`)},
		"pointer":     {parse: parsePointer, schema: pattern(`^/.*$`)},
		"authority":   {parse: parseAuthority, schema: pattern(`^[^/?#@ ]+$`)},
		"prefix":      {parse: parsePrefix, schema: pattern(`^/[^?#* ]*[^/?#* ]$`)},
		"url":         {parse: parseURL, schema: pattern(`^https?://[^/?#@]+(/.*)?$`)},
		"network":     {parse: parseNetwork, schema: pattern(`^[0-9A-Fa-f.:]+/[0-9]+$`)},
		"header":      {parse: parseHeaderName, schema: pattern("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")},
		"media":       {parse: parseMedia, schema: pattern(`^[^/ ]+/[^/ ]+.*$`)},
		"user":        {parse: parseUser, schema: pattern(`^(cookie|caller|header:.+)$`)},
		"headers":     {parse: parseHeaderMatch, schema: pattern(`^[^:]+(:.*)?$`)},
		"link":        {parse: parseLink, schema: pattern(`^[a-z]+:.+$`)},
		"status":      {parse: parseStatus, schema: statusSchema},
		"secure":      {parse: parseSecure, schema: pattern(`^https?://[^/?#@]+(/.*)?$`)},
		"currency":    {parse: parseCurrency, schema: pattern(`^([A-Z]{3}|json:/.*)$`)},
		"money":       {parse: parseMoney, schema: moneySchema},
		"date":        {parse: parseDate, schema: pattern(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)},
		"code":        {parse: parseCode, schema: pattern(`^[A-Z]{3}$`)},
		"clock":       {parse: parseClock, schema: pattern(`^([01][0-9]|2[0-4]):[0-5][0-9]$`)},
		"zone":        {parse: parseZone, schema: pattern(`^.+$`)},
	}
}

const (
	idPattern   = `^[a-z][a-z0-9-]{0,62}$`
	envPattern  = `^[A-Za-z_][A-Za-z0-9_]*$`
	hostPattern = `^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`
)

var (
	idForm     = regexp.MustCompile(idPattern)
	envForm    = regexp.MustCompile(envPattern)
	hostForm   = regexp.MustCompile(hostPattern)
	headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$") // RFC 9110 token
	methods    = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
)

func parseText(text string, _ reflect.StructTag) (any, *fault) {
	if strings.TrimSpace(text) == "" {
		return nil, wrong("config.no-value")
	}
	return text, nil
}

func parseWord(text string, tag reflect.StructTag) (any, *fault) {
	words := strings.Split(tag.Get("of"), ",")
	if slices.Contains(words, text) {
		return text, nil
	}
	if near, ok := nearest(text, words); ok {
		return nil, wrong("config.word-near", "near", near)
	}
	return nil, wrong("config.word", "words", words)
}

func parseBool(text string, _ reflect.StructTag) (any, *fault) {
	switch text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	for near, others := range map[string][]string{"true": {"yes", "on", "1"}, "false": {"no", "off", "0"}} {
		if strings.EqualFold(text, near) || slices.Contains(others, strings.ToLower(text)) {
			return nil, wrong("config.bool-near", "near", near)
		}
	}
	return nil, wrong("config.bool")
}

var integer = regexp.MustCompile(`^-?[0-9]+$`)

func parseInt(text string, tag reflect.StructTag) (any, *fault) {
	if !integer.MatchString(text) {
		return nil, wrong("config.int")
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, wrong("config.int")
	}
	low, high := int64(0), int64(math.MaxInt32)
	if v := tag.Get("min"); v != "" {
		low, _ = strconv.ParseInt(v, 10, 64)
	}
	if v := tag.Get("max"); v != "" {
		high, _ = strconv.ParseInt(v, 10, 64)
	}
	if n < low || n > high {
		return nil, wrong("config.range", "min", low, "max", high)
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

func parseNumber(text string, _ reflect.StructTag) (any, *fault) {
	n, unit, ok := quantity(text)
	if !ok || unit != "" || n < 0.1 || n > 10 {
		return nil, wrong("config.number")
	}
	return n, nil
}

var durations = map[string]time.Duration{
	"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
}

const longest = 3650 * 24 * time.Hour

func parseDuration(text string, tag reflect.StructTag) (any, *fault) {
	bare := strings.TrimPrefix(text, "-")
	n, unit, ok := quantity(bare)
	one, known := durations[unit]
	switch {
	case ok && unit == "" && n == 0 && tag.Get("zero") == "ok":
		return time.Duration(0), nil
	case ok && unit == "":
		return nil, wrong("config.no-unit", "unit", "s")
	case ok && (unit == "mo" || unit == "y" || unit == "w"):
		return nil, wrong("config.calendar")
	case !ok || !known:
		return nil, wrong("config.duration")
	case bare != text && tag.Get("zero") == "ok":
		return nil, wrong("config.negative")
	case bare != text || n == 0 && tag.Get("zero") != "ok":
		return nil, wrong("config.positive")
	case n*float64(one) > float64(longest):
		return nil, wrong("config.too-long")
	}
	return time.Duration(math.Round(n * float64(one))), nil
}

var sizes = map[string]int64{
	"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
	"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
}

func parseSize(text string, tag reflect.StructTag) (any, *fault) {
	bare := strings.TrimPrefix(text, "-")
	n, unit, ok := quantity(bare)
	unit = strings.TrimPrefix(unit, " ")
	one, known := sizes[unit]
	if !known && ok && unit != "" {
		for _, name := range slices.Sorted(maps.Keys(sizes)) {
			if strings.EqualFold(name, unit) || strings.EqualFold(name, unit+"B") || strings.EqualFold(name, unit+"iB") {
				return nil, wrong("config.size-near", "near", strings.TrimSuffix(bare, unit)+name)
			}
		}
	}
	switch {
	case ok && unit == "" && n == 0 && tag.Get("zero") == "ok":
		return int64(0), nil
	case ok && unit == "":
		if n >= 1024 {
			return nil, wrong("config.no-unit", "unit", "B")
		}
		return nil, wrong("config.no-unit", "unit", "MiB")
	case !ok || !known || bare != strings.TrimSpace(bare):
		return nil, wrong("config.size")
	case bare != text && tag.Get("zero") == "ok":
		return nil, wrong("config.negative")
	case bare != text || n == 0 && tag.Get("zero") != "ok":
		return nil, wrong("config.positive")
	case n*float64(one) > 1<<50:
		return nil, wrong("config.too-big")
	}
	return int64(n * float64(one)), nil
}

func parseRate(text string, _ reflect.StructTag) (any, *fault) {
	bare := strings.TrimPrefix(text, "-")
	n, unit, ok := quantity(bare)
	per, known := map[string]float64{"/s": 1, "/min": 60, "/h": 3600}[unit]
	switch {
	case ok && unit == "":
		return nil, wrong("config.no-unit", "unit", "/s")
	case !ok || !known:
		return nil, wrong("config.rate")
	case bare != text || n == 0:
		return nil, wrong("config.capacity-zero")
	}
	return n / per, nil
}

func parsePercent(text string, _ reflect.StructTag) (any, *fault) {
	n, unit, ok := quantity(strings.TrimPrefix(text, "-"))
	switch {
	case ok && unit == "":
		return nil, wrong("config.no-unit", "unit", "%")
	case !ok || unit != "%":
		return nil, wrong("config.percent")
	case strings.HasPrefix(text, "-") || n < 1 || n > 100:
		return nil, wrong("config.percent-range")
	}
	return n / 100, nil
}

func parseID(text string, _ reflect.StructTag) (any, *fault) {
	if !idForm.MatchString(text) {
		return nil, wrong("config.id")
	}
	return text, nil
}

func parseEnv(text string, _ reflect.StructTag) (any, *fault) {
	if !envForm.MatchString(text) {
		return nil, wrong("config.env-name")
	}
	return text, nil
}
