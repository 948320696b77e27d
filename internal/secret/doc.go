// Package secret fetches what must not stand in a file that people share: a
// reference names it, and it is read where and when it is needed.
//
// Invariants:
//
//   - A Text never shows itself: not by fmt, JSON, YAML or slog. Only Reveal does.
//   - Nothing is remembered: what was changed holds from the next use on.
//   - Errors name the reference, never what was read.
//   - A file that others on the machine may read is refused.
//   - A reference of a plan reaches the node's secrets alone: the folder, the
//     variables with the prefix, and those listed. Who may write plans can't make
//     the node read its own tokens or anybody's files.
package secret
