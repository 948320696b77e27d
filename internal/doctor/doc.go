// Package doctor looks at an installation and says what is well, what should
// be looked at and what fails, each with advice. It changes nothing except for
// a small file by which it measures the disk, and it needs no running relay.
//
// A check never blocks for long and never panics: what can't be found out is
// itself a finding. Texts stand in the catalogue under "doctor.", the check's
// id and the finding's; advice under ".advice" after that.
package doctor
