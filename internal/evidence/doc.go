// Package evidence seals what is known of an incident into a file that shows any
// change: events with their place in the chain of all events, objects, and a manifest
// with the sum of each, signed by a key that stays with the node. docs/formats/evidence.md
// describes the file.
//
// The file is a ZIP archive that has one form only: whoever verifies it makes it anew of
// its contents, and compares byte by byte, so that nothing can be changed between the
// files, either.
package evidence
