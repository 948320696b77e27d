package extract

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// zoneAt is a zone that a text names.
type zoneAt struct {
	zone  *time.Location
	doubt string // why it may not be meant
	bare  bool   // letters that count only behind a time of day
	iso   bool   // an offset that counts only directly behind one
}

// abbreviations are what people write behind times. Those with a name in the
// right column are places, whatever the season; the others are offsets.
var abbreviations = map[string]struct {
	hours float64
	place string
	doubt string
}{
	"PST": {hours: -8}, "PDT": {hours: -7}, "PT": {place: "America/Los_Angeles"},
	"MST": {hours: -7}, "MDT": {hours: -6}, "MT": {place: "America/Denver"},
	"CDT": {hours: -5}, "CT": {place: "America/Chicago"},
	"EST": {hours: -5}, "EDT": {hours: -4}, "ET": {place: "America/New_York"},
	"BST": {hours: 1}, "WET": {hours: 0}, "CET": {hours: 1}, "CEST": {hours: 2}, "EET": {hours: 2}, "EEST": {hours: 3},
	"JST": {hours: 9}, "KST": {hours: 9}, "SGT": {hours: 8}, "HKT": {hours: 8}, "AWST": {hours: 8},
	"AEST": {hours: 10}, "AEDT": {hours: 11}, "NZST": {hours: 12}, "NZDT": {hours: 13},
	"CST": {doubt: DoubtAmbiguousZone}, "IST": {hours: 5.5, doubt: DoubtAmbiguousZone},
}

// seasonal are abbreviations that people also write in the other half of the
// year, where another hour may be meant.
var seasonal = map[string]string{
	"PST": "America/Los_Angeles", "PDT": "America/Los_Angeles", "MST": "America/Denver", "MDT": "America/Denver",
	"CDT": "America/Chicago", "EST": "America/New_York", "EDT": "America/New_York",
	"BST": "Europe/London", "CET": "Europe/Berlin", "CEST": "Europe/Berlin", "AEST": "Australia/Sydney", "AEDT": "Australia/Sydney",
}

// named are zones in words.
var named = []struct{ words, place string }{
	{`北京时间|中国标准时间|东八区|beijing time|china standard time|china time`, "Asia/Shanghai"},
	{`香港时间|hong kong time`, "Asia/Hong_Kong"},
	{`台北时间|taipei time`, "Asia/Taipei"},
	{`新加坡时间|singapore time`, "Asia/Singapore"},
	{`东京时间|日本时间|japan (?:standard )?time|tokyo time`, "Asia/Tokyo"},
	{`(?:美国)?太平洋时间|美西时间|pacific (?:standard |daylight )?time`, "America/Los_Angeles"},
	{`(?:美国)?东部时间|美东时间|eastern (?:standard |daylight )?time`, "America/New_York"},
	{`central (?:standard |daylight )?time`, "America/Chicago"},
	{`mountain (?:standard |daylight )?time`, "America/Denver"},
	{`格林尼治时间|世界标准时间|协调世界时|世界协调时|coordinated universal time|greenwich mean time`, "UTC"},
}

var (
	zoneOffset = regexp.MustCompile(`(?i)\b(?:UTC|GMT)\s*([+-])\s*(\d{1,2})(?::?(\d{2}))?`)
	zoneUTC    = regexp.MustCompile(`\b(?:UTC|GMT|utc|gmt)\b`)
	zoneISO    = regexp.MustCompile(`([+-])(\d{2}):?(\d{2})|\bZ\b|Z`)
	zoneLetter = regexp.MustCompile(`\b[A-Z]{2,4}\b`)
	zoneIANA   = regexp.MustCompile(`\b(?:Africa|America|Asia|Atlantic|Australia|Europe|Indian|Pacific)/[A-Za-z_]{2,20}(?:/[A-Za-z_]{2,20})?\b`)
	zoneWords  = compileNamed()
)

func compileNamed() (out []*regexp.Regexp) {
	for _, n := range named {
		out = append(out, regexp.MustCompile(`(?i)(?:`+n.words+`)`))
	}
	return out
}

func place(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return zone
}

// offset makes a zone of hours and minutes from UTC.
func offset(sign, hours, minutes string) *time.Location {
	h, m := digits(hours), digits(minutes)
	if h > 14 || m > 59 {
		return nil
	}
	seconds := h*3600 + m*60
	if sign == "-" {
		seconds = -seconds
	}
	if seconds == 0 {
		return time.UTC
	}
	name := fmt.Sprintf("UTC%s%d", sign, h)
	if m != 0 {
		name += fmt.Sprintf(":%02d", m)
	}
	return time.FixedZone(name, seconds)
}

// letters finds the zone that an abbreviation means; home is the plan's.
func letters(word string, home *time.Location) (zoneAt, bool) {
	a, ok := abbreviations[word]
	if !ok {
		return zoneAt{}, false
	}
	z := zoneAt{doubt: a.doubt, bare: true}
	switch {
	case word == "CST": // China's, or of Chicago's winter
		if strings.HasPrefix(home.String(), "America/") {
			z.zone = place("America/Chicago")
		} else {
			z.zone = place("Asia/Shanghai")
		}
	case a.place != "":
		z.zone = place(a.place)
	default:
		z.zone = time.FixedZone(word, int(a.hours*3600))
	}
	return z, z.zone != nil
}

// offSeason reports whether a zone's abbreviation is not the one that its
// place's clocks have at that time.
func offSeason(at time.Time, zone *time.Location) bool {
	where, ok := seasonal[zone.String()]
	if !ok {
		return false
	}
	home := place(where)
	if home == nil {
		return false
	}
	_, is := at.In(home).Zone()
	_, said := at.In(zone).Zone()
	return is != said
}

// zones finds the zones that a text names.
func zones(s string, home *time.Location) (out []token) {
	put := func(span []int, z zoneAt) {
		if z.zone != nil {
			out = append(out, token{kind: isZone, from: span[0], to: span[1], zone: z})
		}
	}
	for _, m := range zoneOffset.FindAllStringSubmatchIndex(s, -1) {
		if m[1] < len(s) && (isDigit(s[m[1]]) || s[m[1]] == ':') {
			continue
		}
		put(m, zoneAt{zone: offset(part(s, m, 1), part(s, m, 2), part(s, m, 3))})
	}
	for _, m := range zoneUTC.FindAllStringIndex(s, -1) {
		put(m, zoneAt{zone: time.UTC})
	}
	for _, m := range zoneISO.FindAllStringSubmatchIndex(s, -1) {
		if m[2] < 0 {
			put(m, zoneAt{zone: time.UTC, iso: true})
		} else {
			put(m, zoneAt{zone: offset(part(s, m, 1), part(s, m, 2), part(s, m, 3)), iso: true})
		}
	}
	for _, m := range zoneIANA.FindAllStringIndex(s, -1) {
		put(m, zoneAt{zone: place(s[m[0]:m[1]])})
	}
	for _, m := range zoneLetter.FindAllStringIndex(s, -1) {
		if z, ok := letters(s[m[0]:m[1]], home); ok {
			put(m, z)
		}
	}
	for i, pattern := range zoneWords {
		for _, m := range pattern.FindAllStringIndex(s, -1) {
			put(m, zoneAt{zone: place(named[i].place)})
		}
	}
	return out
}
