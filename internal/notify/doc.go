// Package notify tells people: it takes each notification that an engine wrote,
// and sees to it that somebody was told, or that it is known that nobody was.
//
//	silence → group → same → route → room → send → retry → fall back → escalate
//
// A notification is written by whoever wants it, in one transaction with what it
// is about. The node that leads routes it: to whom, over which channels, in which
// language. Each message to one address is a delivery, which is made durable
// before each attempt and after it.
//
// Invariants:
//
//   - Each notification ends delivered, acknowledged, or failed and escalated;
//     or silenced, grouped, repeated or cancelled, and names what did it. None is
//     unaccounted for.
//   - An attempt begins only once it is durable that it does. One that was under
//     way when its node died is made once more: marked as a repeat, or under the
//     same key where the provider knows keys.
//   - Bounds hold over restarts: messages a minute of a channel, of a number, and
//     pages of a group.
//   - No address, text or secret gets into the log.
//
// Each way to send is a package below this one with one line in kinds.
package notify
