package plan

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/yamldoc"
)

// waysOf are what a row of a table says of the addresses of its person.
type waysOf struct {
	prefers, page []string // kinds
}

// read takes the value of a column over into a person.
func (c column) read(text string, person *Person, ways *waysOf) *yamldoc.Fault {
	switch {
	case c.address():
		if example, ok := (continuity.Address{Kind: c.name, Value: text}).Fits(); !ok {
			return yamldoc.Wrong("people.address", "kind", c.name, "example", example)
		}
		person.Addresses = append(person.Addresses, Address{Kind: c.name, Is: text})
		return nil
	case c.kind == "ways":
		kinds, fault := kindsIn(text)
		if c.name == "page" {
			ways.page = kinds
		} else {
			ways.prefers = kinds
		}
		return fault
	case c.kind == "language":
		language, ok := languages[strings.ToLower(text)]
		if !ok {
			return yamldoc.Wrong("people.language")
		}
		person.Language = language
		return nil
	case c.kind == "quiet":
		quiet, ok := quietIn(text)
		if !ok {
			return yamldoc.Wrong("people.quiet")
		}
		person.Quiet = quiet
		return nil
	}
	value, fault := kinds[c.kind].Parse(text, "")
	if fault == nil {
		person.set(c.name, value.(string))
	}
	return fault
}

var languages = map[string]string{
	"en": "en", "english": "en", "英文": "en", "英语": "en",
	"zh": "zh", "zh-cn": "zh", "chinese": "zh", "中文": "zh", "汉语": "zh", "简体中文": "zh",
}

// kindsIn reads kinds of addresses by the headings of their columns.
func kindsIn(text string) (kinds []string, fault *yamldoc.Fault) {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" ,;/+、，；>", r) }) {
		c, known := columnOf(word)
		if !known || !slices.Contains(continuity.AddressKinds(), c.name) {
			return nil, yamldoc.Wrong("people.way", "word", word, "words", continuity.AddressKinds())
		}
		kinds = append(kinds, c.name)
	}
	return kinds, nil
}

var (
	quietForm = regexp.MustCompile(`^(?:(.*\S)\s+)?([0-9]{1,2})[:：]([0-9]{2})\s*(?:-|–|—|~|～|至|到)\s*([0-9]{1,2})[:：]([0-9]{2})$`)
	dayNames  = map[string]string{
		"mon": "mon", "tue": "tue", "wed": "wed", "thu": "thu", "fri": "fri", "sat": "sat", "sun": "sun",
		"周一": "mon", "周二": "tue", "周三": "wed", "周四": "thu", "周五": "fri", "周六": "sat", "周日": "sun", "周天": "sun",
	}
)

// quietIn reads hours of quiet such as "22:00-07:00; sat sun 00:00-24:00".
func quietIn(text string) (all []Quiet, ok bool) {
	for part := range strings.SplitSeq(strings.ReplaceAll(text, "；", ";"), ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		m := quietForm.FindStringSubmatch(part)
		if m == nil {
			return nil, false
		}
		var q Quiet
		for _, word := range strings.FieldsFunc(m[1], func(r rune) bool { return strings.ContainsRune(" ,，、/", r) }) {
			day, known := dayNames[strings.ToLower(word)]
			if !known {
				return nil, false
			}
			q.Days = append(q.Days, day)
		}
		from, fault := parseClock(twoDigits(m[2])+":"+m[3], "")
		to, wrong := parseClock(twoDigits(m[4])+":"+m[5], "")
		if fault != nil || wrong != nil {
			return nil, false
		}
		q.From, q.To = from.(time.Duration), to.(time.Duration)
		if !q.hours().Fits() {
			return nil, false
		}
		all = append(all, q)
	}
	return all, true
}

func twoDigits(hour string) string {
	if len(hour) == 1 {
		return "0" + hour
	}
	return hour
}

// arrange puts the addresses of a person in the order that a row asks for. What it
// names comes first, in its order; the rest stays as it was.
func (p *Person) arrange(ways waysOf) {
	if len(ways.prefers)+len(ways.page) == 0 {
		return
	}
	all := p.Addresses
	p.Addresses = nil
	for _, a := range []Address{{Kind: continuity.AddressPhone, Is: p.Phone}, {Kind: continuity.AddressMail, Is: p.Mail}} {
		if a.Is != "" {
			all = append(all, a)
		}
	}
	rank := func(a Address) int {
		if i := slices.Index(ways.prefers, a.Kind); i >= 0 {
			return i
		}
		return len(ways.prefers)
	}
	slices.SortStableFunc(all, func(a, b Address) int { return rank(a) - rank(b) })
	for _, a := range all {
		if slices.Contains(ways.page, a.Kind) {
			a.For = continuity.ForPage
		}
		p.Addresses = append(p.Addresses, a)
	}
}
