// Package swap puts a file or folder in the place of another at once, keeps what was
// there beside it, and can put that back. Which of the two is which is known by a note
// that was written before, so each step can be done again after a crash.
package swap
