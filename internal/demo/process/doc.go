// Package process starts programs that end when whoever started them does, and
// takes their legs away.
package process
