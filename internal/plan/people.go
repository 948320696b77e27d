package plan

import (
	"fmt"
	"slices"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/yamldoc"
)

// People are those whom plans name.
type People struct {
	Schema string         `yaml:"schema" kind:"word" of:"holdfast/people@1" required:"true" example:"holdfast/people@1"`
	People []Person       `yaml:"people" required:"true" ids:"people"`
	File   string         `json:"-"` // they were read from
	Places yamldoc.Places `json:"-"`
}

// Person is one of them.
type Person struct {
	ID         string `yaml:"id" kind:"person" required:"true" example:"li.wei"`
	Name       Text   `yaml:"name" required:"true" example:"{en: Li Wei, zh: 李伟}"`
	Department string `yaml:"department" kind:"text" example:"sales"`
	Phone      string `yaml:"phone" kind:"phone" example:"\"13800138000\""`
	Mail       string `yaml:"mail" kind:"mail" example:"li.wei@example.com"`
	Left       string `yaml:"left" kind:"date" example:"2026-06-30"`

	Language  string    `yaml:"language" kind:"word" of:"en,zh" example:"zh"`
	Zone      string    `yaml:"zone" kind:"zone" example:"Asia/Shanghai"`
	Quiet     []Quiet   `yaml:"quiet"`
	Addresses []Address `yaml:"addresses"`
}

// Quiet is when a person is left alone, but for pages.
type Quiet struct {
	Days []string      `yaml:"days" kind:"word" of:"mon,tue,wed,thu,fri,sat,sun" example:"[mon, tue, wed, thu, fri]"`
	From time.Duration `yaml:"from" kind:"clock" required:"true" example:"22:00"`
	To   time.Duration `yaml:"to" kind:"clock" required:"true" example:"07:00"`
}

// Address is one way to reach a person.
type Address struct {
	Kind string `yaml:"kind" kind:"word" of:"phone,mail,wecom,dingtalk,feishu,telegram,slack,whatsapp,ntfy" required:"true" example:"wecom"`
	Is   string `yaml:"is" kind:"text" required:"true" example:"LiWei"`
	For  string `yaml:"for" kind:"word" of:"page" example:"page"`
}

// checkPeople reports what the fields of people say together.
func checkPeople(r *reading, p *People) {
	for i := range p.People {
		where := fmt.Sprintf("people[%d]", i)
		for j, a := range p.People[i].Addresses {
			if a.Kind == "" || a.Is == "" {
				continue // it was reported
			}
			if example, ok := (continuity.Address{Kind: a.Kind, Value: a.Is}).Fits(); !ok {
				at := fmt.Sprintf("%s.addresses[%d].is", where, j)
				r.Error(place(r.places, at), "people.address", "kind", a.Kind, "value", yamldoc.Brief(a.Is), "example", example)
			}
		}
		for j, q := range p.People[i].Quiet {
			if q.hours().Fits() {
				continue
			}
			at := place(r.places, fmt.Sprintf("%s.quiet[%d].to", where, j))
			if !r.ReportedOn(at.Line) {
				r.Error(at, "people.quiet-empty")
			}
		}
	}
}

func (q Quiet) hours() continuity.QuietHours {
	return continuity.QuietHours{Days: q.Days, From: clock(q.From), To: clock(q.To)}
}

// Number is the number under which the person is called, and the field in which it
// stands; empty where there is none.
func (p *Person) Number() (number, field string) {
	if p.Phone != "" {
		return p.Phone, "phone"
	}
	for i, a := range p.Addresses {
		if a.Kind == continuity.AddressPhone {
			return a.Is, fmt.Sprintf("addresses[%d].is", i)
		}
	}
	return "", "phone"
}

// ways are the addresses in the order of preference: those of the list, then phone
// and mail where they are not in it.
func (p *Person) ways() (all []continuity.Address) {
	for _, a := range p.Addresses {
		all = append(all, continuity.Address{Kind: a.Kind, Value: a.Is, For: a.For})
	}
	for _, a := range []continuity.Address{{Kind: continuity.AddressPhone, Value: p.Phone}, {Kind: continuity.AddressMail, Value: p.Mail}} {
		known := slices.ContainsFunc(all, func(b continuity.Address) bool { return a.Kind == b.Kind && a.Value == b.Value })
		if a.Value != "" && !known {
			all = append(all, a)
		}
	}
	return all
}

// HasLeft says whether the person is gone on a day.
func (p *Person) HasLeft(today time.Time) bool {
	return p.Left != "" && p.Left <= today.UTC().Format(time.DateOnly)
}

// Persons are the people as the control plane keeps them. A day on which somebody
// leaves begins in UTC, whoever imports the file.
func (p *People) Persons() []continuity.Person {
	list := []continuity.Person{}
	for _, from := range p.People {
		to := continuity.Person{ID: from.ID, Names: map[string]string{}, Department: from.Department, Language: from.Language, Zone: from.Zone, Addresses: from.ways()}
		switch en, zh := from.Name.En, from.Name.Zh; {
		case en == zh && han(zh):
			to.Names["zh"] = zh
		case en == zh:
			to.Names["en"] = en
		default:
			for lang, name := range map[string]string{"en": en, "zh": zh} {
				if name != "" {
					to.Names[lang] = name
				}
			}
		}
		for _, q := range from.Quiet {
			to.Quiet = append(to.Quiet, q.hours())
		}
		if from.Left != "" {
			to.Left, _ = time.Parse(time.DateOnly, from.Left) // it was read as a date
		}
		list = append(list, to)
	}
	return list
}
