// Package kill takes the machine's legs away: it kills the real relay and the
// real shop with SIGKILL, again and again, under customers who keep a ledger
// of their own and ask again until they are answered. In the end the shop's own
// database must hold what they were told: everything acknowledged, once, and
// in order; and the relay's books must have balanced after each recovery.
package kill
