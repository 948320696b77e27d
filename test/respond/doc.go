// Package respond kills the whole control node with SIGKILL while it tells people,
// leads an incident, a window or an exercise, or goes through a runbook, again and
// again, and starts it again. What people were told is counted by those who got it: a
// mail server, a provider of calls, pages. Nothing may be missing, and nothing said
// twice without saying so.
//
// It is killed, too, at the stages that upgrades of a real shop and restores of its data
// come to, while customers order; no request may be lost, doubled or reordered, and the
// books are right to the cent. By default at a share of the stages that a seed chooses,
// which is printed and can be given as RESPOND_SEED; with -args -kills=100 at each.
package respond
