// Package protocols runs the real relay against the suites that others wrote for
// its protocols: h2spec for HTTP/2, and pebble, a small authority, for ACME. It
// is a module of its own, as their dependencies are no concern of the product's.
package protocols
