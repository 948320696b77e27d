package extract

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

type tokenKind int

const (
	isDate tokenKind = iota
	isWeekday
	isClock
	isPart
	isZone
	isLink // "to", "-", "至"
)

// token is a piece of a text that says something of a time.
type token struct {
	kind     tokenKind
	from, to int
	date     dateWords
	clock    clockWords
	part     dayPart
	zone     zoneAt
	link     string
}

// dateWords is a date as it is written.
type dateWords struct {
	year, month, day int // 0: not said
	weekday          int // 1 Monday to 7 Sunday; 0: none
	week             int // of the weekday: 0 the coming one, 1 this week's, 2 next week's
	relative         int // days from today
	today            bool
	next             bool // the day after the one named before
	same             bool // the one named before
	ambiguous        bool // 03/04/2026
	english          bool // "next Saturday", which means two things
}

// clockWords is a time of day as it is written.
type clockWords struct {
	hour, minute, second int
	half                 string // am, pm or nothing
	weak                 bool   // a number that is a time only beside others
	seconds              bool
}

type dayPart int

const (
	noPart dayPart = iota
	night          // 凌晨
	morning
	noon
	afternoon
	evening
)

const months = `jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|(?-i:May|MAY)|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?`

var monthNames = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
var weekdayNames = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

var (
	dateISO      = regexp.MustCompile(`(20\d\d)[-/.](\d{1,2})[-/.](\d{1,2})`)
	dateHan      = regexp.MustCompile(`(?:(20\d\d)\s*年\s*)?(\d{1,2})\s*月\s*(\d{1,2})\s*[日号]?`)
	dayHan       = regexp.MustCompile(`(\d{1,2})\s*[日号]`)
	dateMonth    = regexp.MustCompile(`(?i)\b(` + months + `)\.?\s+(\d{1,2})(?:st|nd|rd|th)?\b(?:,?\s+(20\d\d)\b)?`)
	dateDay      = regexp.MustCompile(`(?i)\b(\d{1,2})(?:st|nd|rd|th)?(?:\s+of)?[\s-]+(` + months + `)\b\.?(?:[\s,-]+(20\d\d)\b)?`)
	dateSlash    = regexp.MustCompile(`\b(\d{1,2})/(\d{1,2})/(20\d\d)\b`)
	dateShort    = regexp.MustCompile(`\b(\d{1,2})[-/](\d{1,2})\s+\d{1,2}:\d\d`)
	weekdayEn    = regexp.MustCompile(`\b(?:((?i:this|next|coming))\s+)?((?i:monday|tuesday|wednesday|thursday|friday|saturday|sunday)|Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun|MON|TUE|WED|THU|FRI|SAT|SUN)\b`)
	weekdayHan   = regexp.MustCompile(`(本|这|下个|下)?(?:周|星期|礼拜)([一二三四五六日天])`)
	dayEn        = regexp.MustCompile(`(?i)\b(today|tonight|tomorrow)\b`)
	dayWords     = regexp.MustCompile(`今天|今日|今晚|今夜|今晨|明天|明日|明晚|明晨|后天|次日|翌日|第二天|当天|当日|当晚`)
	clockColon   = regexp.MustCompile(`(?i)(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?(?:\s*(a\.m\.?|p\.m\.?|am\b|pm\b))?`)
	clockHalf    = regexp.MustCompile(`(?i)\b(\d{1,2})\s*(a\.m\.?|p\.m\.?|am\b|pm\b)`)
	clockHan     = regexp.MustCompile(`(\d{1,2}|[零一二两三四五六七八九十]{1,3})\s*([点时])(?:\s*(\d{1,2})\s*分|\s*(半|整|钟|一刻|三刻))?`)
	clockFour    = regexp.MustCompile(`\b([01]\d|2[0-3])([0-5]\d)(?:\s*(?:hrs|hours|h)\b)?`)
	clockWord    = regexp.MustCompile(`(?i)\b(noon|midnight)\b|零点|正午`)
	hourBefore   = regexp.MustCompile(`(?i)\b(\d{1,2})\s*(?:-|\bto\b|\buntil\b|\band\b|至|到)\s*\d{1,2}(?:(?::\d\d)?\s*(?:a\.?m\b|p\.?m\b)|\s*[点时])`)
	partHan      = regexp.MustCompile(`凌晨|清晨|早上|早晨|早间|上午|中午|下午|傍晚|晚上|晚间|夜间|深夜|午夜|夜里|晚|早`)
	links        = regexp.MustCompile(`(?i)-+|\b(?:to|until|till|til|through|thru|and)\b|至|直至|到|直到`)
	chineseParts = map[string]dayPart{
		"凌晨": night, "午夜": evening, "清晨": morning, "早上": morning, "早晨": morning, "早间": morning, "早": morning, "上午": morning,
		"中午": noon, "下午": afternoon, "傍晚": afternoon, "晚上": evening, "晚间": evening, "夜间": evening, "深夜": evening, "夜里": evening, "晚": evening,
	}
	chineseDigits = map[rune]int{'零': 0, '一': 1, '二': 2, '两': 2, '三': 3, '四': 4, '五': 5, '六': 6, '七': 7, '八': 8, '九': 9}
)

func part(s string, m []int, n int) string {
	if 2*n+1 >= len(m) || m[2*n] < 0 {
		return ""
	}
	return s[m[2*n]:m[2*n+1]]
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// digits reads a short number, in figures or Chinese; anything else is 0.
func digits(s string) int {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	n := 0
	for _, r := range s {
		if r == '十' {
			n = max(n, 1) * 10
			continue
		}
		n += chineseDigits[r]
	}
	return n
}

func index(names []string, word string) int {
	word = strings.ToLower(word)
	for i, name := range names {
		if strings.HasPrefix(word, name) {
			return i + 1
		}
	}
	return 0
}

// lex finds the pieces of a text that say something of times. Where several
// overlap the first counts, and of those that begin together the longest.
func lex(s string, home *time.Location) []token {
	var all []token
	put := func(t token, from, to int) {
		t.from, t.to = from, to
		all = append(all, t)
	}
	dates(s, put)
	days(s, put)
	clocks(s, put)
	for _, m := range partHan.FindAllStringIndex(s, -1) {
		put(token{kind: isPart, part: chineseParts[s[m[0]:m[1]]]}, m[0], m[1])
	}
	for _, m := range links.FindAllStringIndex(s, -1) {
		put(token{kind: isLink, link: strings.ToLower(s[m[0]:m[1]])}, m[0], m[1])
	}
	all = append(all, zones(s, home)...)
	slices.SortStableFunc(all, func(a, b token) int {
		if a.from != b.from {
			return a.from - b.from
		}
		return b.to - a.to
	})
	out := all[:0]
	end := 0
	for _, t := range all {
		if t.from < end {
			continue
		}
		if t.kind == isZone && t.zone.iso && !isoZone(s, out, t) {
			continue
		}
		out = append(out, t)
		end = t.to
	}
	return out
}

// isoZone reports whether an offset stands behind a time of day, and is not the
// end of a range.
func isoZone(s string, before []token, t token) bool {
	if len(before) == 0 {
		return false
	}
	last := before[len(before)-1]
	gap := s[last.to:t.from]
	if last.kind != isClock || last.clock.half != "" || strings.Trim(gap, " (") != "" || len(gap) > 2 {
		return false
	}
	sign := s[t.from]
	return sign == 'Z' && gap == "" || sign == '+' || sign == '-' && last.clock.seconds
}

func dates(s string, put func(token, int, int)) {
	date := func(m []int, year, month, day string, w dateWords) {
		w.year, w.day = digits(year), digits(day)
		if n := index(monthNames, month); n > 0 {
			w.month = n
		} else {
			w.month = digits(month)
		}
		if w.month < 1 || w.month > 12 || w.day < 1 || w.day > 31 {
			return
		}
		put(token{kind: isDate, date: w}, m[0], m[1])
	}
	alone := func(m []int) bool { // no digit belongs to it on either side
		return (m[0] == 0 || !isDigit(s[m[0]-1])) && (m[1] == len(s) || !isDigit(s[m[1]]) || !isDigit(s[m[1]-1]))
	}
	for _, m := range dateISO.FindAllStringSubmatchIndex(s, -1) {
		if alone(m) {
			date(m, part(s, m, 1), part(s, m, 2), part(s, m, 3), dateWords{})
		}
	}
	for _, m := range dateHan.FindAllStringSubmatchIndex(s, -1) {
		if alone(m) {
			date(m, part(s, m, 1), part(s, m, 2), part(s, m, 3), dateWords{})
		}
	}
	for _, m := range dayHan.FindAllStringSubmatchIndex(s, -1) {
		rest := s[m[1]:]
		if d := digits(part(s, m, 1)); alone(m) && d >= 1 && d <= 31 && !strings.HasPrefix(rest, "内") && !strings.HasPrefix(rest, "后") && !strings.HasPrefix(rest, "前") {
			put(token{kind: isDate, date: dateWords{day: d}}, m[0], m[1])
		}
	}
	for _, m := range dateMonth.FindAllStringSubmatchIndex(s, -1) {
		if m[1] == len(s) || s[m[1]] != ':' {
			date(m, part(s, m, 3), part(s, m, 1), part(s, m, 2), dateWords{})
		}
	}
	for _, m := range dateDay.FindAllStringSubmatchIndex(s, -1) {
		date(m, part(s, m, 3), part(s, m, 2), part(s, m, 1), dateWords{})
	}
	for _, m := range dateSlash.FindAllStringSubmatchIndex(s, -1) {
		a, b := part(s, m, 1), part(s, m, 2)
		switch {
		case digits(a) > 12:
			date(m, part(s, m, 3), b, a, dateWords{})
		case digits(b) > 12 || digits(a) == digits(b):
			date(m, part(s, m, 3), a, b, dateWords{})
		default:
			date(m, part(s, m, 3), a, b, dateWords{ambiguous: true})
		}
	}
	if han(s) { // in English such a pair may be either way round
		for _, m := range dateShort.FindAllStringSubmatchIndex(s, -1) {
			date([]int{m[2], m[5]}, "", part(s, m, 1), part(s, m, 2), dateWords{})
		}
	}
}

func days(s string, put func(token, int, int)) {
	for _, m := range weekdayEn.FindAllStringSubmatchIndex(s, -1) {
		w := dateWords{weekday: index(weekdayNames, part(s, m, 2))}
		if strings.EqualFold(part(s, m, 1), "next") {
			w.week, w.english = 2, true
		}
		put(token{kind: isWeekday, date: w}, m[0], m[1])
	}
	for _, m := range weekdayHan.FindAllStringSubmatchIndex(s, -1) {
		w := dateWords{weekday: strings.Index("一二三四五六日", part(s, m, 2))/3 + 1}
		if part(s, m, 2) == "天" {
			w.weekday = 7
		}
		switch part(s, m, 1) {
		case "本", "这":
			w.week = 1
		case "下", "下个":
			w.week = 2
		}
		put(token{kind: isWeekday, date: w}, m[0], m[1])
	}
	for _, m := range dayEn.FindAllStringIndex(s, -1) {
		t := token{kind: isDate, date: dateWords{today: true}}
		switch strings.ToLower(s[m[0]:m[1]]) {
		case "tonight":
			t.part = evening
		case "tomorrow":
			t.date.relative = 1
		}
		put(t, m[0], m[1])
	}
	for _, m := range dayWords.FindAllStringIndex(s, -1) {
		word := s[m[0]:m[1]]
		t := token{kind: isDate}
		switch {
		case word == "次日" || word == "翌日" || word == "第二天":
			t.date.next = true
		case strings.HasPrefix(word, "当"):
			t.date.same = true
		default:
			t.date.today = true
			if strings.HasPrefix(word, "明") {
				t.date.relative = 1
			} else if strings.HasPrefix(word, "后") {
				t.date.relative = 2
			}
		}
		switch {
		case strings.HasSuffix(word, "晚"), strings.HasSuffix(word, "夜"):
			t.part = evening
		case strings.HasSuffix(word, "晨"):
			t.part = morning
		}
		put(t, m[0], m[1])
	}
}

func clocks(s string, put func(token, int, int)) {
	clock := func(w clockWords, from, to int) {
		if w.hour > 24 || w.minute > 59 || w.second > 60 || w.hour == 24 && w.minute > 0 || w.half != "" && (w.hour < 1 || w.hour > 12) {
			return
		}
		put(token{kind: isClock, clock: w}, from, to)
	}
	half := func(text string) string {
		if text == "" {
			return ""
		}
		return strings.ToLower(text[:1]) + "m"
	}
	for _, m := range clockColon.FindAllStringSubmatchIndex(s, -1) {
		if m[0] > 0 && (isDigit(s[m[0]-1]) || s[m[0]-1] == ':' || s[m[0]-1] == '.') {
			continue
		}
		if part(s, m, 4) == "" && m[1] < len(s) && (isDigit(s[m[1]]) || s[m[1]] == ':') {
			continue
		}
		clock(clockWords{digits(part(s, m, 1)), digits(part(s, m, 2)), digits(part(s, m, 3)), half(part(s, m, 4)), false, part(s, m, 3) != ""}, m[0], m[1])
	}
	for _, m := range clockHalf.FindAllStringSubmatchIndex(s, -1) {
		clock(clockWords{hour: digits(part(s, m, 1)), half: half(part(s, m, 2))}, m[0], m[1])
	}
	for _, m := range clockHan.FindAllStringSubmatchIndex(s, -1) {
		if strings.HasPrefix(part(s, m, 2), "时") && !isDigit(s[m[0]]) {
			continue // "一时" is for a while
		}
		w := clockWords{hour: digits(part(s, m, 1)), minute: digits(part(s, m, 3))}
		switch part(s, m, 4) {
		case "半":
			w.minute = 30
		case "一刻":
			w.minute = 15
		case "三刻":
			w.minute = 45
		case "":
			w.weak = m[6] < 0 // "以下3点"
		}
		clock(w, m[0], m[1])
	}
	for _, m := range clockFour.FindAllStringSubmatchIndex(s, -1) {
		if m[1] == len(s) || !isDigit(s[m[1]]) {
			clock(clockWords{hour: digits(part(s, m, 1)), minute: digits(part(s, m, 2)), weak: true}, m[0], m[1])
		}
	}
	for _, m := range clockWord.FindAllStringIndex(s, -1) {
		switch strings.ToLower(s[m[0]:m[1]]) {
		case "noon", "正午":
			clock(clockWords{hour: 12}, m[0], m[1])
		default:
			clock(clockWords{}, m[0], m[1])
		}
	}
	for _, m := range hourBefore.FindAllStringSubmatchIndex(s, -1) {
		clock(clockWords{hour: digits(part(s, m, 1)), weak: true}, m[2], m[3])
	}
}
