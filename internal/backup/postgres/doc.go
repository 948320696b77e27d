// Package postgres backs up a PostgreSQL server with PostgreSQL's own programs of the
// server's version, and brings it back to any moment.
//
// A full piece is two tar archives, one after the other: what pg_basebackup wrote, and
// the write-ahead log from there to where the figures held, with a note of what is
// needed to restore it. So a full piece can be restored, and proven, by itself. A span of
// the log is the bytes of the write-ahead log from one place to another, as pg_receivewal
// received them: slices of the segment that is being written, at least two each second
// while there is something to write, and then the segment as a whole.
//
// The base is of the whole server, as that is the only way to have its log; figures are
// of the one database that the DSN names.
//
// Where pgBackRest keeps a server, Repository has it do so, and its pieces say what lies
// there.
//
// Before a server is started on restored pieces, every record of the log in them is
// read and its checksum compared: what is missing, cut, of another timeline or another
// system is found before anybody relies on it.
package postgres
