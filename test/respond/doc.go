// Package respond kills the whole control node with SIGKILL while it tells people,
// leads an incident, a window or an exercise, or goes through a runbook, again and
// again, and starts it again. What people were told is counted by those who got it: a
// mail server, a provider of calls, pages. Nothing may be missing, and nothing said
// twice without saying so.
package respond
