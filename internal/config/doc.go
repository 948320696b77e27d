// Package config reads the relay's configuration file, relay.yaml, and turns
// it into routes and settings, or into problems that say where the mistake is,
// what is wrong and what would be right. It never gives half a configuration.
//
// One table drives everything: the tagged structs of document.go. Decoding,
// the JSON Schema and the reference in docs/ are walks over the same structs,
// so that none of them can drift from the others.
//
// A file passes through these steps; the first that fails ends the reading, and
// each reports all that it found:
//
//	source   bytes to lines: size, encoding, control characters, tabs
//	scan     full-width punctuation where YAML needs ASCII; it is named, then
//	         mended in memory so that the rest of the file can be checked too
//	guard    tokens: depth, anchors, tags, several documents; nothing is expanded
//	tree     YAML to a tree of nodes with places; values stay source text
//	decode   tree to document: unknown, doubled and missing fields, values by type
//	check    what fields say together: identity, order, limits, shadowed routes
//	build    document to Relay
package config
