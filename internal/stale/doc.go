// Package stale keeps last good responses for readers, in memory, and says
// which of them may be given to whom once the upstream is gone.
//
// It is a shared cache by RFC 9111, of one narrow kind: what it holds is asked
// for only when no answer can be had. A response to GET with status 200 is kept
// if a shared cache may store it: not with no-store, private, no-cache, Set-Cookie
// or Vary: *, not for a request that says no-store, and for a request that bears
// Authorization or Cookie only if it is public. It is given while it is fresh,
// and stale unless must-revalidate, proxy-revalidate or s-maxage forbid it,
// within stale-if-error where that is stated, and within the route's own bound.
// A request with credentials is given only what is public. A write to the same
// address forgets it. What else says who asks (a certificate, a key in a field of
// its own) is for who uses the store to know.
//
// Memory is bounded over all routes; what was not asked for or renewed for the
// longest time goes first.
package stale
