package plan

import "holdfast/internal/yamldoc"

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
