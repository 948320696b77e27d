// Package restore finds what an upstream has lost that was put back to an
// earlier moment (rule 12): requests that were delivered, or passed and were
// recorded, since a time, and that the upstream's own list does not know. It
// reads and decides; who approved appends what it found.
package restore
