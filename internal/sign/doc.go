// Package sign makes the signatures that providers' APIs want of each request:
// over time stamps, or by tokens that expire. A request that is kept and sent
// later must therefore be signed again at each attempt; what a client signed
// itself would have expired.
//
// A Sender stands before an upstream.Sender, for the live path and for replay
// alike, and so does its Rewriter, for clients of which only the base URL was
// changed. Each signer is a file of its own; the registry is in registry.go.
//
// Invariants:
//
//   - Nothing is sent unsigned: what can't be signed is a clean failure. Where no
//     secret or token is to be had, it wraps upstream.ErrCredentials, on which
//     replay pauses.
//   - An answer by which the provider refuses a token is known as not processed.
//     The token is fetched anew and the same attempt is made once more, if its
//     body can be read again; a second refusal is the attempt's answer.
//   - Secrets, tokens and signatures are in no error and no log. An own failure
//     names the signer and the provider's code, nothing else.
//   - A field that a signer writes replaces the client's own.
package sign
