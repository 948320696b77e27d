// Package admission decides which live requests a route lets in: by rate, by
// how many are on their way at once, by client address, by what the upstream's
// capacity leaves, and, after an outage, by a waiting line.
//
// A [Gate] serves one route. Enter asks for admission before anything is done
// for a request; who was admitted calls Leave at its end, and Ended where the
// upstream was asked. The order of the questions is
//
//  1. the client's own limits (what one client does too much of is its own)
//  2. the waiting line
//  3. concurrency, stated or adaptive
//  4. rate: stated, set by a person, or what the capacity leaves
//
// Classes: of a limit of the route the first class may use all, the last one
// half, those between evenly spread shares. So the last is shed first, and what
// it leaves is there for the first.
//
// A [Line] keeps no state per user. Who is in, and who waits with which number,
// stands in signed tokens that clients carry; the relay counts tickets by batch
// and knows from the journal which batches are open.
//
// Entering and leaving allocate nothing and take no lock shared by routes; the
// clients of a route are spread over locks of their own.
package admission
