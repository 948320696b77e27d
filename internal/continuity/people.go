package continuity

import "time"

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
