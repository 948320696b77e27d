// Package upstream makes one attempt to deliver one request, and says exactly
// how it ended: it never sends a request twice by itself.
//
// An attempt ends in one of three ways. Clean: no byte of the request was
// handed to the kernel (connect refused or timed out, no connection free in
// time, cancelled before, a client that did not deliver its body), so the
// upstream cannot have processed it. Lost: a byte was, and no final response
// head came, so nobody knows. Answered: a final response head came; whether its
// body arrives whole is another matter, which reading it tells.
//
// Not every clean failure speaks against the upstream: see [Blameless].
package upstream
