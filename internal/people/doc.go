// Package people keeps those whom plans name: it says what a new list of people
// would change before it does, and where plans that hold name whom.
//
// Invariants:
//
//   - A list is written down as a whole or not at all.
//   - Who is missing in a list stays: a list may be of one department. They are
//     named, so that somebody can say who has left.
//   - People are told apart by their ids, which plans use; an id never becomes
//     another person's by an import of a name.
package people
