// Package warning makes early warnings of what is watched, and of what people and
// other systems say.
//
// There are three rooms in it. The Engine runs on the node that leads: it asks
// its sources how things stand, decides what becomes of each warning, and writes
// that as one commit with the lease as fence. The Inbox, on any node, takes what
// comes from outside (alerts, signed webhooks, notices, staff's reports) and
// stores it; the engine finds it there. Acts, on any node, are what people say of
// a warning.
//
// Invariants:
//
//   - The engine decides from what is stored, and from sightings. It keeps nothing
//     in memory that a commit did not write, but waiting times that may begin
//     anew. After a commit that failed, or may have failed, it reads everything
//     again. So a new leader, or the same node after a crash, goes on where the
//     store stands: a change is written once, and neither forgotten nor told twice.
//   - What a source has to remember (since when a limit is passed) is stored with
//     the warnings, in the same commit.
//   - A sighting that is not known changes no level and ends nothing.
//   - A warning that came back soon after it was over has to be better for longer
//     each time before it is over again.
package warning
