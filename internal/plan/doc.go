// Package plan is the language of contingency plans: what a business decided
// before it happens (plans/X.yaml) and what engineers bound to it
// (plans/X.tech.yaml).
//
// One table drives everything: the tagged structs of Plan, Tech and People.
// Decoding, references, what is used by what, the JSON Schema, the reference in
// docs/plans.md, formatting and differences are walks over the same structs.
// Beside the tags of package yamldoc there are
//
//	ids     the entries of this list or map are defined under this word
//	ref     the value names an entry of one of these words, "a|b"
//	used    "true" on a section: an entry that nothing names is worth a warning
//	full    "true" on a section: a plan whose profile is full must have it
//
// Parse reads and checks; it returns problems, never an error, and a Plan only
// if none of them is one. The texts of problems stand in the catalogue under
// "plan.", the meanings of fields under "plan.field.".
//
// A plan holds what people decided: nothing here runs, dials or looks at a
// clock other than the caller's.
package plan
