package config

import (
	"maps"
	"math"
	"mime"
	"net/netip"
	"net/url"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"holdfast/internal/continuity"
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
		"text":     {parse: parseText, schema: anyScalar, free: true},
		"word":     {parse: parseWord, schema: wordSchema},
		"bool":     {parse: parseBool, schema: func(reflect.StructTag) map[string]any { return map[string]any{"type": "boolean"} }},
		"int":      {parse: parseInt, schema: intSchema},
		"number":   {parse: parseNumber, schema: numberSchema},
		"duration": {parse: parseDuration, schema: orZero(`^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$`)},
		"size":     {parse: parseSize, schema: orZero(`^[0-9]+(\.[0-9]+)? ?(B|[kMGT]B|[KMGT]iB)$`)},
		"rate":     {parse: parseRate, schema: pattern(`^[0-9]+(\.[0-9]+)?/(s|min|h)$`)},
		"percent":  {parse: parsePercent, schema: pattern(`^[0-9]+(\.[0-9]+)?%$`)},
		"id":       {parse: parseID, schema: pattern(idPattern)},
		"env":      {parse: parseEnv, schema: pattern(envPattern)},
		"address":  {parse: parseAddress, schema: pattern(`^.*:[0-9]+$`)},
		"upstream": {parse: parseUpstream, schema: pattern(`^http://[^/?#@]+$`)},
		"file":     {parse: parseText, schema: pattern(`^.+$`), free: true},
		"host":     {parse: parseHost, schema: pattern(hostPattern)},
		"path":     {parse: parsePath, schema: pattern(`^/[^*?#]*(/\*\*)?$`)},
		"target":   {parse: parseTarget, schema: pattern(`^/[^#]*$`)},
		"method":   {parse: parseMethod, schema: enum(methods)},
		"selector": {parse: parseSelector, schema: pattern(`^(none|header:.+|path:[1-9][0-9]*|json:/.*)$`)},
		"body":     {parse: parseBodyPointer, schema: pattern(`^json:/.*$`)},
		"pointer":  {parse: parsePointer, schema: pattern(`^/.*$`)},
		"media":    {parse: parseMedia, schema: pattern(`^[^/ ]+/[^/ ]+.*$`)},
		"status":   {parse: parseStatus, schema: statusSchema},
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

func parseAddress(text string, _ reflect.StructTag) (any, *fault) {
	if !validAddress(text, true) {
		return nil, wrong("config.address")
	}
	return text, nil
}

// validAddress reports whether text is host:port; an empty host, every
// interface, only where that is allowed.
func validAddress(text string, every bool) bool {
	at := strings.LastIndexByte(text, ':')
	if at < 0 {
		return false
	}
	host, port := text[:at], text[at+1:]
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return false
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		return ok && err == nil && ip.Is6()
	}
	return host == "" && every || hostForm.MatchString(host)
}

func parseUpstream(text string, _ reflect.StructTag) (any, *fault) {
	u, err := url.Parse(text)
	switch {
	case err == nil && u.Scheme == "https":
		return nil, &fault{id: "config.upstream-tls", length: len("https")}
	case err == nil && u.User != nil:
		return nil, &fault{id: "config.upstream-user", from: len("http://")}
	case err != nil || u.Scheme != "http" || u.Host == "":
		return nil, wrong("config.upstream")
	case u.Path != "" || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(text, "?#"):
		return nil, &fault{id: "config.upstream-path", from: utf8.RuneCountInString("http://" + u.Host), args: []any{"base", "http://" + u.Host}}
	}
	host := u.Host
	if u.Port() == "" {
		host += ":80"
	}
	if !validAddress(host, false) || strings.HasSuffix(host, ":0") {
		return nil, wrong("config.upstream")
	}
	return "http://" + host, nil
}

func parseHost(text string, _ reflect.StructTag) (any, *fault) {
	host := strings.ToLower(text)
	switch {
	case strings.Contains(host, "*"):
		return nil, wrong("config.host-wild")
	case strings.Contains(host, ":") || strings.Contains(host, "/"):
		return nil, wrong("config.host-port")
	case !hostForm.MatchString(host):
		return nil, wrong("config.host")
	}
	return host, nil
}

func parsePath(text string, _ reflect.StructTag) (any, *fault) {
	rest, below := strings.CutSuffix(text, "/**")
	switch {
	case !strings.HasPrefix(text, "/"):
		return nil, wrong("config.path", "near", "/"+text)
	case strings.ContainsAny(text, "?#"):
		return nil, &fault{id: "config.path-query", from: utf8.RuneCountInString(text[:strings.IndexAny(text, "?#")])}
	case strings.Contains(rest, "*"):
		near := path.Clean(rest[:strings.IndexByte(rest, '*')])
		return nil, &fault{
			id: "config.path-wild", from: utf8.RuneCountInString(rest[:strings.IndexByte(rest, '*')]),
			args: []any{"near", strings.TrimSuffix(near, "/") + "/**"},
		}
	case !below && strings.HasSuffix(text, "/") && text != "/":
		return nil, wrong("config.path-slash", "near", text+"**")
	}
	return text, nil
}

func parseTarget(text string, _ reflect.StructTag) (any, *fault) {
	if !strings.HasPrefix(text, "/") {
		return nil, wrong("config.path", "near", "/"+text)
	}
	if strings.ContainsAny(text, "# ") {
		return nil, wrong("config.target")
	}
	return text, nil
}

func parseMethod(text string, _ reflect.StructTag) (any, *fault) {
	if slices.Contains(methods, text) {
		return text, nil
	}
	if near, ok := nearest(strings.ToUpper(text), methods); ok {
		return nil, wrong("config.method-near", "near", near)
	}
	return nil, wrong("config.method", "words", methods)
}

func parseSelector(text string, tag reflect.StructTag) (any, *fault) {
	source, arg, _ := strings.Cut(text, ":")
	switch {
	case text == "none":
		return continuity.Selector{}, nil
	case source == "header" && headerName.MatchString(arg):
		return continuity.Selector{Source: continuity.SourceHeader, Name: arg}, nil
	case source == "path":
		if n, err := strconv.Atoi(arg); err == nil && n >= 1 && n <= 64 && strconv.Itoa(n) == arg {
			return continuity.Selector{Source: continuity.SourcePath, Index: n}, nil
		}
	case source == "json":
		pointer, bad := parsePointer(arg, tag)
		if bad == nil {
			return continuity.Selector{Source: continuity.SourceJSON, Name: pointer.(string)}, nil
		}
		if strings.HasPrefix(arg, "$") || arg != "" && !strings.HasPrefix(arg, "/") {
			return nil, wrong("config.selector-pointer", "near", "json:"+likelyPointer(arg))
		}
	case strings.HasPrefix(text, "/"):
		return nil, wrong("config.selector-pointer", "near", "json:"+text)
	}
	return nil, wrong("config.selector")
}

func parseBodyPointer(text string, tag reflect.StructTag) (any, *fault) {
	s, bad := parseSelector(text, tag)
	if bad != nil && bad.id == "config.selector-pointer" {
		return nil, bad
	}
	if bad != nil || s.(continuity.Selector).Source != continuity.SourceJSON {
		return nil, wrong("config.body-pointer")
	}
	return s.(continuity.Selector).Name, nil
}

// likelyPointer guesses the JSON pointer behind a JSONPath or a bare name.
func likelyPointer(text string) string {
	text = strings.TrimPrefix(strings.TrimPrefix(text, "$"), ".")
	return "/" + strings.TrimPrefix(strings.ReplaceAll(text, ".", "/"), "/")
}

func parsePointer(text string, _ reflect.StructTag) (any, *fault) {
	if !strings.HasPrefix(text, "/") || text == "/" {
		return nil, wrong("config.pointer", "near", likelyPointer(strings.TrimPrefix(text, "json:")))
	}
	for i, r := range text {
		if r == '~' && (i+1 == len(text) || text[i+1] != '0' && text[i+1] != '1') {
			return nil, wrong("config.pointer-escape")
		}
	}
	return text, nil
}

func parseMedia(text string, _ reflect.StructTag) (any, *fault) {
	media, _, err := mime.ParseMediaType(text)
	if main, sub, ok := strings.Cut(media, "/"); err != nil || !ok || main == "" || sub == "" {
		return nil, wrong("config.media")
	}
	return text, nil
}

func parseStatus(text string, _ reflect.StructTag) (any, *fault) {
	low, high, isRange := strings.Cut(text, "-")
	if !isRange {
		high = low
	}
	if len(text) == 3 && strings.HasSuffix(strings.ToLower(text), "xx") {
		low, high = text[:1]+"00", text[:1]+"99"
	}
	a, errLow := strconv.Atoi(low)
	b, errHigh := strconv.Atoi(high)
	if errLow != nil || errHigh != nil || len(low) != 3 || len(high) != 3 || a < 200 || b > 599 || a > b {
		return nil, wrong("config.status")
	}
	return continuity.StatusRange{Low: a, High: b}, nil
}
