package bia

import (
	"cmp"
	"math/big"
	"regexp"
	"strings"
	"time"

	"golang.org/x/text/width"
)

const day = 24 * time.Hour

// fold writes what Chinese keyboards give in the letters that are parsed.
func fold(text string) string {
	text = width.Fold.String(text)
	return strings.ToLower(strings.Join(strings.Fields(text), " "))
}

// blank is what people write into a cell that has no value.
func blank(text string) bool {
	switch fold(text) {
	case "", "-", "--", "—", "——", "/", "n/a", "na", "tbd", "待定", "待确认":
		return true
	}
	return false
}

var units = map[string]time.Duration{
	"周": 7 * day, "星期": 7 * day, "w": 7 * day, "wk": 7 * day, "week": 7 * day, "weeks": 7 * day,
	"天": day, "日": day, "d": day, "day": day, "days": day,
	"小时": time.Hour, "个小时": time.Hour, "时": time.Hour, "钟头": time.Hour, "h": time.Hour, "hr": time.Hour, "hrs": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"分钟": time.Minute, "分": time.Minute, "m": time.Minute, "min": time.Minute, "mins": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"秒": time.Second, "秒钟": time.Second, "s": time.Second, "sec": time.Second, "secs": time.Second, "second": time.Second, "seconds": time.Second,
}

var (
	atMost    = regexp.MustCompile(`^(?:<=|≤|<|不超过|小于等于|小于|within|at most|max\.?|under) *|(?: *(?:以内|之内|内|or less))$`)
	spanRange = regexp.MustCompile(`\d *[a-z小时分钟天]* *(?:-|~|–|—|至|到|to) *\d`)
	spanPart  = regexp.MustCompile(`^(\d+(?:\.\d+)?|半) *(个小时|[a-z]+|[周星期天日小时钟头分秒]+)?(半)?\.? *`)
	clock     = regexp.MustCompile(`^(\d{1,4}):([0-5]\d)(?::([0-5]\d))?$`)
	bare      = regexp.MustCompile(`^\d+(?:\.\d+)?$`)
)

var (
	chinese = regexp.MustCompile(`[一二两三四五六七八九十]+`)
	english = regexp.MustCompile(`\b(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b`)
	words   = map[string]string{
		"a": "1", "an": "1", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6",
		"seven": "7", "eight": "8", "nine": "9", "ten": "10", "eleven": "11", "twelve": "12",
		"一": "1", "二": "2", "两": "2", "三": "3", "四": "4", "五": "5", "六": "6", "七": "7", "八": "8", "九": "9",
	}
	joined = strings.NewReplacer("half an ", "0.5 ", "half a ", "0.5 ", " and ", " ", "个半", ".5", "又", "")
)

// digits writes numbers that stand in words, up to ninety-nine.
func digits(text string) string {
	text = joined.Replace(text)
	text = english.ReplaceAllStringFunc(text, func(word string) string { return words[word] })
	return chinese.ReplaceAllStringFunc(text, func(word string) string {
		tens, ones, ten := strings.Cut(word, "十")
		switch {
		case !ten && words[word] != "":
			return words[word]
		case ten && (tens == "" || words[tens] != "") && (ones == "" || words[ones] != ""):
			return cmp.Or(words[tens], "1") + cmp.Or(words[ones], "0")
		}
		return word
	})
}

// Spoken reads how long something lasts, as people say it in either language.
func Spoken(text string) (time.Duration, bool) {
	d, problem := span(text, 0)
	return d, problem == "" && !blank(text)
}

// span reads a time. unit is that of the heading, for cells with a bare number.
// What comes back is the id of a problem, empty for none.
func span(text string, unit time.Duration) (time.Duration, string) {
	text = fold(text)
	switch text {
	case "0", "零", "无", "实时", "即时", "不允许丢失", "零丢失", "none", "zero", "no loss":
		return 0, ""
	}
	text = strings.TrimSpace(atMost.ReplaceAllString(text, ""))
	text = digits(strings.TrimSpace(atMost.ReplaceAllString(text, "")))
	if m := clock.FindStringSubmatch(text); m != nil {
		return parts(m[1], time.Hour) + parts(m[2], time.Minute) + parts(m[3], time.Second), ""
	}
	if strings.Contains(text, "工作日") || strings.Contains(text, "working") || strings.Contains(text, "business") {
		return 0, "bia.working-days"
	}
	if spanRange.MatchString(text) {
		return 0, "bia.range"
	}
	if bare.MatchString(text) {
		if unit == 0 {
			return 0, "bia.no-unit"
		}
		return bounded(parts(text, unit))
	}
	var sum time.Duration
	for rest := text; rest != ""; {
		m := spanPart.FindStringSubmatch(rest)
		if m == nil || units[m[2]] == 0 || m[1] == "半" && m[3] != "" {
			return 0, "bia.no-span"
		}
		number := m[1]
		if number == "半" {
			number = "0.5"
		}
		part := parts(number, units[m[2]])
		if m[3] != "" {
			part += units[m[2]] / 2
		}
		if sum += part; part < 0 {
			return 0, "bia.no-span"
		}
		rest = rest[len(m[0]):]
	}
	return bounded(sum)
}

// bounded refuses what no plan means: more than ten years.
func bounded(d time.Duration) (time.Duration, string) {
	if d < 0 || d > 3660*day {
		return 0, "bia.no-span"
	}
	return d, ""
}

// parts is a number of units, negative if it is too great.
func parts(number string, unit time.Duration) time.Duration {
	if number == "" {
		return 0
	}
	n, ok := new(big.Rat).SetString(number)
	if !ok {
		return -1
	}
	n.Mul(n, new(big.Rat).SetInt64(int64(unit)))
	whole := new(big.Int).Quo(n.Num(), n.Denom())
	if !whole.IsInt64() || whole.Int64() > int64(20000*day) {
		return -1
	}
	return time.Duration(whole.Int64())
}

var currencies = map[string]string{
	"元": "CNY", "人民币": "CNY", "rmb": "CNY", "cny": "CNY", "¥": "CNY", "块": "CNY",
	"美元": "USD", "usd": "USD", "us$": "USD", "$": "USD", "欧元": "EUR", "eur": "EUR", "€": "EUR",
	"港元": "HKD", "港币": "HKD", "hkd": "HKD", "hk$": "HKD", "英镑": "GBP", "gbp": "GBP", "£": "GBP", "日元": "JPY", "jpy": "JPY",
}

var multiples = map[string]int64{"": 1, "千": 1e3, "k": 1e3, "万": 1e4, "w": 1e4, "百万": 1e6, "m": 1e6, "million": 1e6, "亿": 1e8}

var (
	currencyWords = `(?:人民币|美元|欧元|港元|港币|英镑|日元|元|块|rmb|cny|usd|us\$|eur|hkd|hk\$|gbp|jpy|¥|\$|€|£)`
	amount        = regexp.MustCompile(`^(` + currencyWords + `)? *(\d[\d,]*(?:\.\d+)?) *(千|k|万|w|百万|million|m|亿)? *(` + currencyWords + `)?(?: *(?:/|每|per|an|a) *(小时|时|h|hour|hr|天|日|day|d|分钟|分|min|minute|周|week))?$`)
	grouped       = regexp.MustCompile(`^(\d+|\d{1,3}(,\d{3})+)(\.\d+)?$`)
	moneyUnit     = regexp.MustCompile(`(千|百万|万|亿)? *(` + currencyWords + `)`)
)

// tooMuch is more than an amount of a plan can be.
const tooMuch = 10_000_000_000_000 * 10_000

// scale is what a heading says of the money below it.
type scale struct {
	times    int64
	currency string
	per      time.Duration
}

// money reads an amount; per is the time it is said for, if any.
func money(text string, of scale) (m Money, per time.Duration, id string) {
	text = strings.TrimPrefix(strings.TrimPrefix(fold(text), "约"), "~")
	text = strings.TrimSpace(strings.ReplaceAll(text, "￥", "¥"))
	if text == "0" || text == "无" || text == "none" {
		return Money{Currency: of.currency}, of.per, ""
	}
	found := amount.FindStringSubmatch(text)
	if found == nil || !grouped.MatchString(found[2]) {
		return Money{}, 0, "bia.no-money"
	}
	currency := of.currency
	for _, word := range []string{found[1], found[4]} {
		code := currencies[word]
		if word != "" && found[1] != "" && found[4] != "" && currencies[found[1]] != currencies[found[4]] {
			return Money{}, 0, "bia.no-money"
		}
		if code != "" {
			currency = code
		}
	}
	if currency == "" {
		return Money{}, 0, "bia.no-currency"
	}
	times := multiples[found[3]]
	if found[3] == "" && found[4] == "" && of.times > 0 {
		times = of.times
	}
	n, ok := new(big.Rat).SetString(strings.ReplaceAll(found[2], ",", ""))
	if !ok {
		return Money{}, 0, "bia.no-money"
	}
	n.Mul(n, new(big.Rat).SetInt64(times*10000))
	if !n.IsInt() || !n.Num().IsInt64() || n.Num().Int64() >= tooMuch {
		return Money{}, 0, "bia.no-money"
	}
	per = of.per
	if found[5] != "" {
		per = units[found[5]]
	}
	return Money{Parts: n.Num().Int64(), Currency: currency}, per, ""
}
