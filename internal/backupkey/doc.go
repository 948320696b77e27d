// Package backupkey keeps the keys of backups: a ring of them in one file, of which the
// current one seals and signs what is new, and every one opens and verifies what it
// once did. A ring's file is closed by a passphrase, by a key that lies elsewhere, or by
// its mode alone. With it, the program and a target, an empty machine restores.
//
// A file's data is sealed by a data key of its own; the ring only wraps data keys.
// Turning the ring (Rotate) therefore rewrites no backup: what is written from then on
// is sealed by the new key, and the older keys stay until nothing of theirs is kept.
package backupkey
