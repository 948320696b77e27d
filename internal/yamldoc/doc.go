// Package yamldoc reads strict YAML documents, such as relay.yaml and plans,
// into tagged structs, or into problems that say where the mistake is, what is
// wrong and what would be right.
//
// One table drives everything: the tagged structs of the document. Decoding,
// the JSON Schema and the reference in docs/ are walks over the same structs,
// so that none of them can drift from the others. A Language says what is
// particular to one kind of document.
//
// A text passes through these steps; the first that fails ends the reading, and
// each reports all that it found:
//
//	source   bytes to lines: size, encoding, control characters, tabs
//	scan     full-width punctuation where YAML needs ASCII; it is named, then
//	         mended in memory so that the rest of the file can be checked too
//	guard    tokens: depth, anchors, tags, several documents; nothing is expanded
//	tree     YAML to a tree of nodes with places; values stay source text
//	decode   tree to structs: unknown, doubled and missing fields, values by type
//
// What the fields say together is the business of who owns the structs.
//
// # Tags
//
//	yaml      the field's name
//	kind      how its text is read
//	default   the value where the field is absent, as it would be written
//	required  the field must be there, with its block
//	of        the words of kind "word"
//	min, max  bounds of kind "int"
//	short     a block may be written as this field's value alone
//	zero      "ok" where a duration or number may be zero
//	example   for the reference, where the default does not serve
//
// # Fields
//
// A field of a document is a Value, a List or a HeaderMap, which remember where
// they stand; or plain: a scalar of Go, a slice, a map or a struct, whose places
// Decode returns by path.
package yamldoc
