// Package secrets plants secrets wherever a relay and a control node meet them, runs them through
// all they do, and searches whatever they leave behind.
package secrets
