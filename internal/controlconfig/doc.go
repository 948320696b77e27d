// Package controlconfig reads control.yaml, the settings of a control node, or
// says exactly what is wrong with them. A node goes without the file, too: each
// field has a default. The tagged structs of document.go drive decoding, the
// schema and the reference in docs/control.md.
package controlconfig
