// Shop is a small order service, the kind of system that Holdfast stands before.
// internal/demo/shop says what it does.
package main
