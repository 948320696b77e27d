package plan

import (
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
		to := continuity.Person{ID: from.ID, Names: map[string]string{}, Department: from.Department}
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
		for _, a := range []continuity.Address{{Kind: "phone", Value: from.Phone}, {Kind: "mail", Value: from.Mail}} {
			if a.Value != "" {
				to.Addresses = append(to.Addresses, a)
			}
		}
		if from.Left != "" {
			to.Left, _ = time.Parse(time.DateOnly, from.Left) // it was read as a date
		}
		list = append(list, to)
	}
	return list
}
