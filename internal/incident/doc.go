// Package incident carries incidents from the first sign to the review: it declares
// them where a plan's triggers say so, grades them by what they hit and for how long,
// finds somebody for each role, reminds of what is due, and keeps one account of it
// all.
//
// The Engine runs while its node leads and sees the store through package follow. Acts
// are what people do, on any node. Both write the incident object by its version, so
// that who comes second looks again; what somebody is to be told of a change is
// written with the change.
//
// Invariants:
//
//   - What was reminded of stands in the incident (Warned, Overdue), in one batch with
//     the notification: an engine that begins anew tells nothing twice and forgets
//     nothing.
//   - A trigger counts from the moment its cause began. A cause that began before an
//     incident was resolved starts nothing; one that began later opens the incident
//     again, or a new one once that is closed.
//   - One origin is one incident as long as that stands.
//   - Each role has one page at a time; whoever acknowledges it has the role.
//   - While what an incident came of is bad, nobody is told that it works, unless a
//     person says since when.
package incident
