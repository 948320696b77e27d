package continuity

import (
	"maps"
	"slices"
	"time"
)

// Person is somebody whom plans may name.
type Person struct {
	ID         string            `json:"id"`
	Names      map[string]string `json:"names"` // by language: zh, en
	Addresses  []Address         `json:"addresses,omitempty"`
	Department string            `json:"department,omitempty"`
	Left       time.Time         `json:"left,omitzero"` // from then on nobody counts on them
}

// Address is one way to reach a person; the first ones are tried first.
type Address struct {
	Kind  string `json:"kind"` // phone, mail, wecom ...
	Value string `json:"value"`
}

// HasLeft says whether the person is gone at a time.
func (p Person) HasLeft(at time.Time) bool { return !p.Left.IsZero() && !at.Before(p.Left) }

// Differing names the fields in which another version of the person differs.
func (p Person) Differing(other Person) (fields []string) {
	if !maps.Equal(p.Names, other.Names) {
		fields = append(fields, "names")
	}
	if !slices.Equal(p.Addresses, other.Addresses) {
		fields = append(fields, "addresses")
	}
	if p.Department != other.Department {
		fields = append(fields, "department")
	}
	if !p.Left.Equal(other.Left) {
		fields = append(fields, "left")
	}
	return fields
}

// Mention is a place where a plan names a person.
type Mention struct {
	Person  string `json:"person"`
	Service string `json:"service"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Where   string `json:"where"` // the path in the file: roles.commander.people
}

// PeopleChange is what a list of people changes, or would.
type PeopleChange struct {
	Added     []string       `json:"added"`
	Changed   []PersonChange `json:"changed"`
	Unchanged int            `json:"unchanged"`
	Missing   []string       `json:"missing"` // known, not gone and not in the list: they stay
	Gone      []string       `json:"gone"`    // in the list, and have left
	Named     []Mention      `json:"named"`   // where plans name those
	Done      bool           `json:"done"`
}

// PersonChange is what becomes otherwise of a person.
type PersonChange struct {
	ID     string   `json:"id"`
	Fields []string `json:"fields"` // names, addresses, department, left
}
