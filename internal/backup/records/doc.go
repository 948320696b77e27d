// Package records frames the streams of drivers that have no format of their own: a
// magic line, then records of a kind and a length, then an end that counts and proves
// them. A stream that was cut, at whatever place, or that goes on behind its end, is
// never read to io.EOF. The format is in docs/formats/backup-streams.md.
package records
