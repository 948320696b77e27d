package continuity

import "slices"

// Class is the priority of a key: 0 is served first. The last class is that of
// everybody whom none of the others names.
type Class uint8

// Classes is how many classes there are at most, the last one included.
const Classes = 4

// Priority says which keys are replayed first.
type Priority struct {
	Header  string // the field that names a class's member; empty: the caller does
	Classes [][]string
}

// Class returns the class of who is named.
func (p *Priority) Class(name string) Class {
	for i, members := range p.Classes {
		if slices.Contains(members, name) {
			return Class(i) // #nosec G115 -- below Classes
		}
	}
	return p.Last()
}

// Last is the class of all whom no class names.
func (p *Priority) Last() Class { return Class(len(p.Classes)) } // #nosec G115 -- below Classes
