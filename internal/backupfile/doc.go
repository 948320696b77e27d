// Package backupfile writes and reads the file of a piece of a backup, and the signed
// documents beside it. docs/formats/backup.md describes both byte by byte.
//
// A file is compressed (zstd), then encrypted (AES-256-GCM in segments of 1 MB) by a
// data key of its own, which the ring wraps. Both are bound to what the piece is: a file
// under another's name does not open. A reader gives its consumer no end of the stream
// before the end was authenticated: a file that is cut, changed, put together of others
// or longer than it was gives an error first. Memory is constant, whatever the size.
package backupfile
