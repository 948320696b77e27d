// Package imports holds the test that the project's import rules
// (.depguard.yaml) bite, and bite nothing else.
package imports
