// Package controlapi is a control node's HTTP API: JSON under /api/v1, described
// by an OpenAPI 3.1 document that the node itself serves. It calls no engine and
// no database by itself: each area declares what it needs of one (events.go is the
// model), and internal/control hands it in. It does know values that it shows or
// judges by: versions of plans (planbook), looks and verdicts (watch), notices and
// busy periods (notices), days (calendar), callers and scopes (access).
//
// An area is a file with its interface, its types and its operations, a field of
// Options, and one line in New:
//
//	func registerThings(s *server) {
//		register(s, operation{Method: http.MethodGet, Path: "/api/v1/things", ID: "listThings", Scope: access.ThingsRead}, s.listThings)
//	}
//
//	func (s *server) listThings(ctx context.Context, in *struct{ Paging }) (*list[Thing], error)
//
// What an operation does is said in the catalogue, "controlapi.op." and its id.
//
// Invariants:
//
//   - An operation without a scope can't be registered unless it says whom it lets
//     in instead, and nothing is done before the caller is known to have the scope.
//     Open to all are logging in and what New lists.
//   - Errors are *continuity.Error and become problem documents in the caller's
//     language, with a pointer to each field that is wrong. A value is never
//     repeated, as it may be a secret.
//   - A POST that bears an Idempotency-Key is done once by its caller within 24
//     hours. A repeat gets the first answer; where it isn't known how the first
//     one ended, it is told so and nothing is done.
//   - Edits name the version they start from, by If-Match.
//   - Bodies, pages and times are bounded.
package controlapi
