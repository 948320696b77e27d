// Package demo plays what Holdfast is for, with nothing staged: a shop, a relay and a
// control node as processes of their own, customers who order all the time, people
// who are called, mailed and shown notices by servers on this machine, and trouble.
// What it says of customers comes from their own ledger and the shop's database, what
// it says of messages from those who got them.
package demo
