// Package secrets plants secrets wherever a relay meets them, runs it through
// all it does with requests, and searches whatever it leaves behind.
package secrets
