// Package customers are people who order at a shop through a relay and keep a ledger
// of their own, which no part of Holdfast sees. Afterwards it is held against the
// shop's own database: what they were told is accepted must be there once, in the
// sequence in which it was sent, with equal amounts.
package customers
