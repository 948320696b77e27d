//go:build race

package loop

// raced has reads and writes go by way of the standard library, which tells the
// race detector about them.
const raced = true
