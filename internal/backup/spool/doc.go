// Package spool keeps, on this machine, what a driver needs to know of the newest piece
// that it captured so that it can say what changed since. A draft counts only once its
// piece is known to be safe; where the spool is lost, a full piece is needed, and
// nothing else is lost.
package spool
