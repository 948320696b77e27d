// Package cards puts a plan on paper, for the day when Holdfast itself is
// down: emergency cards in the size of a pocket (A6), checklists and guides on
// A4, as one self-contained HTML page or as one PDF, from the same model.
//
// The model (model.go) holds texts in one language, ready to be read; whoever
// knows plans fills it. Both renderers print the same sheets (sheets.go): a
// sheet is a list of sections, a section a heading with rows.
//
// A PDF carries its fonts, of which only the characters in use. Latin letters
// and signs come from fonts that Go modules hold, Chinese from a font that the
// build puts into the folder font (docs/adr/0046-fonts-of-cards.md). A
// character that none of them has is an error that says where it stands: paper
// with a box in place of a name helps nobody.
package cards
