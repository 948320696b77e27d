// Package webhook tells a client's endpoint how its kept requests ended: by a
// POST signed as Standard Webhooks says.
//
// One Courier serves one route. It follows the journal from a position that it
// keeps in a file, together with what has yet to be told, and stands outside
// the data plane: the journal waits for nobody, and no request waits for a
// Courier.
//
// Invariants:
//
//   - Every end that the journal holds behind the position is told at least
//     once, or given up after the last try of the schedule, with a line in the
//     log. A sudden end of the process repeats what was told since the file was
//     last written, under the same webhook-id: receipt and state.
//   - What waits is bounded. While it is full, the position stands still and the
//     rest waits in the journal. What the journal forgets before it was read is
//     counted and logged.
//   - Requests go to the configured URL alone. Redirects are not followed, no
//     proxy is asked, answers are not read beyond a bound.
//   - 410 ends the telling until the URL changes.
package webhook
