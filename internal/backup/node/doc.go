// Package node backs up Holdfast itself: the control plane's state, or the journal of a
// relay while that writes it. What a state or a journal is, and whether it is whole, is
// said by whoever opens the driver; backups know neither.
//
// A journal that is restored is for looking into, and for what its relay can't say any
// more. Given to a relay it would deliver again what was delivered since it was copied.
package node
