package binding

import (
	"cmp"
	"slices"

	"holdfast/internal/plan"
	"holdfast/internal/yamldoc"
)

// checks report what the engines refuse of a plan, one for each engine.
var checks = []func(*plan.Plan, *Report){
	checkFiles,
	checkChecks,
	checkFlows,
	checkMeasures,
	checkWarnings,
	checkNotices,
}

// Check returns what the engines refuse of a plan that was parsed.
func Check(p *plan.Plan) []yamldoc.Problem {
	r := newReport(p)
	for _, check := range checks {
		check(p, r)
	}
	return r.problems()
}

// Report gathers problems. Where something stands is said by its path from the
// root of the file, such as "checks[2].http"; what is absent is reported where
// it is missing.
type Report struct {
	plan, tech *yamldoc.Findings
	beside     []yamldoc.Problem // of the files that the plan names
	p          *plan.Plan
}

func newReport(p *plan.Plan) *Report {
	return &Report{plan: yamldoc.NewFindings(p.File), tech: yamldoc.NewFindings(plan.TechName(p.File)), p: p}
}

// Plan notes what an engine refuses in X.yaml.
func (r *Report) Plan(where, id string, pairs ...any) {
	r.plan.Error(r.p.Places.At(where), id, pairs...)
}

// Tech notes what an engine refuses in X.tech.yaml.
func (r *Report) Tech(where, id string, pairs ...any) {
	r.tech.Error(r.techPlaces().At(where), id, pairs...)
}

// TechWarning notes what an engine takes in X.tech.yaml, and somebody should think
// about.
func (r *Report) TechWarning(where, id string, pairs ...any) {
	r.tech.Warning(r.techPlaces().At(where), id, pairs...)
}

func (r *Report) techPlaces() yamldoc.Places {
	if r.p.Tech == nil {
		return nil
	}
	return r.p.Tech.Places
}

// problems are those of the business file, then the technical one's, each in the
// order of the file, and then those of other files.
func (r *Report) problems() []yamldoc.Problem {
	found := r.plan.Found()
	for _, in := range [][]yamldoc.Problem{found, r.tech.Found()} {
		slices.SortStableFunc(in, func(a, b yamldoc.Problem) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
	}
	return append(append(found, r.tech.Found()...), r.beside...)
}
