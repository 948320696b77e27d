// Package mint makes the tokens by which a kept request proves, when it is sent
// at last, whom it is from. The client's own credentials may have expired by
// then, and are not kept at all.
//
// A Sender stands before an upstream.Sender. It concerns attempts for a caller
// who was verified when the request was accepted; a client that waits sends its
// own credentials, which pass untouched.
//
// Invariants:
//
//   - A token says no more than what was verified at acceptance: that caller, and
//     of its scopes those that the route allows. Where nothing is known of scopes
//     it says that there are none.
//   - It says that it was made here, and on whose behalf (the claim act of
//     RFC 8693), and by which proof.
//   - Each attempt has one of its own, of a short life. None is kept, written down
//     or put into an error.
//   - Without its key nothing is sent: that is a clean failure that wraps
//     upstream.ErrCredentials, on which replay pauses.
package mint
