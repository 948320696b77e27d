package flow

import (
	"time"

	"holdfast/internal/yamldoc"
)

// The bounds of a flow. What comes back is bounded by probe.MaxRead.
const (
	maxSteps   = 40
	maxTime    = 10 * time.Minute
	maxCleanup = 2 * time.Minute
	maxBody    = 256 << 10
	maxFile    = 16 << 20
	maxSaved   = 8 << 10
	leastPause = 100 * time.Millisecond
)

// Flow is a flow that may run.
type Flow struct {
	ID      string
	Name    Text
	Base    string        // of all addresses
	Direct  string        // the same past the relay; may be empty
	Timeout time.Duration // of the steps
	After   time.Duration // of the clean-up
	Account bool          // it needs a user and a secret
	Cleans  bool          // it has steps that take away what it made

	document *Document
	steps    []*step
	cleanup  []*step
}

// Steps lists the ids of the steps and of the clean-up, in order.
func (f *Flow) Steps() (steps, cleanup []string) {
	for _, s := range f.steps {
		steps = append(steps, s.ID)
	}
	for _, s := range f.cleanup {
		cleanup = append(cleanup, s.ID)
	}
	return steps, cleanup
}

// Parse reads a flow; file is its name in problems. The flow is nil if any of
// them is an error.
func Parse(file string, src []byte) (*Flow, []yamldoc.Problem) {
	findings := yamldoc.NewFindings(file)
	root, lines := yamldoc.Read(findings, src)
	if root == nil {
		return nil, findings.Settle(lines)
	}
	d := &Document{}
	d.places = language.Decode(findings, root, d)
	c := &checker{Findings: findings, document: d}
	f := c.flow()
	problems := findings.Settle(lines)
	if yamldoc.Failed(problems) {
		return nil, problems
	}
	return f, problems
}
