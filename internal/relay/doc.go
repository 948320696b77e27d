// Package relay is the live path: what happens to a request while its client
// waits. An Engine matches it to a route and passes it, keeps it, answers it as
// a repeat or in the upstream's place, or refuses it.
//
// Blocks come first, then admission. What they refuse goes no further, whatever
// its method, unless the route keeps what its limits leave no room for. Intake
// says who answers what is let in: the upstream, the standby (divert), or nobody
// but the relay (reply).
//
// A route that holds treats a request of one of its held methods so:
//
//  1. Its body is read, up to the item limit. A larger body streams and is
//     never kept.
//  2. Its identity is its Idempotency-Key, or fields of its body, together with
//     its caller where the route verifies callers; without either it gets a
//     random one. An identity that is known is a repeat: it is answered from
//     the ledger and goes no further.
//  3. If intake is hold, or its ordering key has pending records, it is kept
//     and answered. Otherwise it is sent.
//  4. If it was not processed for certain, the route switches to hold and the
//     request is kept as if the switch had come first. If its outcome is
//     unknown and no byte of an answer has left, it is kept in doubt.
//
// Everything else is sent, and answered with 502, 503 or 504 where that fails.
//
// A client that leaves does not end the attempt of a request that could be
// kept: cutting it would only turn a known outcome into a doubt. If such an
// attempt is lost, the request is kept in doubt all the same, as its client may
// come back with the same Idempotency-Key. If it was not processed for certain,
// it is dropped: its client was promised nothing. Once its answer has begun its
// outcome is known, and a body of unknown length ends with its reader.
//
// A request that bears credentials is not kept, unless the route says that the
// encrypted journal may store them, or that they are made anew for each attempt:
// then it is kept without them. A route in observe passes everything; a
// request is kept there only behind pending records of its own key, from a time
// when the route held.
package relay
