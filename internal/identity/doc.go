// Package identity tells requests apart: which ordering key a request bears,
// which repeat identity, and whether it is the same request as one before.
//
// Everything that leaves a request becomes a keyed hash (HMAC-SHA256, cut): the
// tag of its ordering key, its receipt, and its fingerprint. Each hash begins
// with the name of its purpose and gives the length of every part, so that no
// byte can move from one part to its neighbour, nor a hash of one purpose stand
// for another.
//
// Values are read out of a body only where it is strict JSON: one value, valid
// UTF-8, no name twice in any object, no lone surrogate, no content coding, no
// more than 64 levels. Where two readers could see two different values, a
// request is not held; it is for its upstream to judge. Numbers keep their
// source text, so that 12345678901234567890 stays what it is.
package identity
