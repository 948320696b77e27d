// Package sensitive knows what must not be stored and must not be shown.
//
// A Finder belongs to a route. It finds, in a request that is about to be held,
// the fields that the route never stores, card numbers (issuer prefix, length,
// check digit) and verification codes. What it says of a finding is where it
// stands and of which kind, never its value.
//
// A Masker hides card numbers and the route's fields in whatever is shown.
// Handler does the same for everything that is logged.
package sensitive
