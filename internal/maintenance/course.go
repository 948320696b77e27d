package maintenance

import (
	"maps"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// Course is what a plan says of a window from its start.
type Course struct {
	Modes     []Put
	Uploads   []Put
	Parts     map[string][]string // by what can be affected: the checks that show it, and the components that it needs
	Checks    []string            // all of the service
	Processes []Process           // those of the core business first
	Complete  Complete
	Verify    []Verify
	Readmit   Readmit
	Vendor    *Vendor
	Review    time.Duration
	Technical string // the role that does the work; empty: none
	Commander string // the role that decides; empty: none
}

// Put is what is put with a relay while a window runs.
type Put struct {
	Relay, Route string
	Mode         string          // of a mode
	For          []string        // components; none: in every window
	Paths        []string        // of uploads
	Say          continuity.Text // of uploads
}

// hits reports whether it is for a window that affects some components, or all.
func (p *Put) hits(affected []string) bool {
	return len(p.For) == 0 || len(affected) == 0 || slices.ContainsFunc(p.For, func(c string) bool { return slices.Contains(affected, c) })
}

// Process is one of the business, with how it goes on meanwhile.
type Process struct {
	ID   string
	Name continuity.Text
	MTD  time.Duration
	How  continuity.Text // the approved way of working meanwhile
}

// Complete is who says that the work is done.
type Complete struct {
	Checks []string // SERVICE/CHECK
	For    time.Duration
	Notice string // a provider
	Person bool
	Agree  int // so many of them
}

// Verify is one thing that is looked at before people come back.
type Verify struct {
	ID    string // check/ID or item/ID
	Kind  string // base, custom, integrations
	Check string // SERVICE/CHECK; empty: a person says so
	Say   continuity.Text
	Owner string // a role
}

// Readmit is how people come back.
type Readmit struct {
	Lines    []Put // routes with a waiting line
	Groups   []Group
	Wait     time.Duration
	CheckIns int
	Errors   string // a measure; empty: none
	Most     float64
}

// Group is who comes back with a batch.
type Group struct {
	Teams  []string
	Leads  []string // who are asked whether it works
	People []string // all of the teams
}

// Vendor is who gets what people say.
type Vendor struct {
	Name    continuity.Text
	Address string
	Channel string
	After   time.Duration
}

// Measured tells figures of a plan's measures.
type Measured interface {
	// Figure is what a measure of a service is now; ok is false where that is not known.
	Figure(service, measure string) (value float64, ok bool)
}

// once reports whether people have not been asked or warned of something yet, and
// notes that they are.
func (w *window) once(what string) bool {
	if slices.Contains(w.Course.Asked, what) {
		return false
	}
	w.Course.Asked = append(w.Course.Asked, what)
	w.mark("window.asked")
	return true
}

// sortedKeys are the keys of a map in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
