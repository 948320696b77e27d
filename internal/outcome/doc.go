// Package outcome reads what an upstream says inside a response: many APIs
// report their errors in the body of a 200. The live path and replay read alike.
//
// A body is read if its status is one of those that the route reads, and only
// if it is whole, under no content coding, and strict JSON. The attempts of such
// routes therefore ask for no content coding (PlainEncoding). Of an unreadable
// body with a status that says "delivered" nothing can be known: it is a lost
// attempt. With any other status the status decides.
package outcome
