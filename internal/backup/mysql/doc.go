// Package mysql backs up one database of a MariaDB or MySQL server, and brings it back to
// any moment: a dump by the server's own program, and the binary log after it.
//
// The log is received as the server writes it and published in slices, which begin with
// what is needed to read them alone; a whole file supersedes its slices. It has to hold
// rows (binlog_format=ROW), so that other databases can be left out. What changes a table
// by naming its database, from within another one, without rows (ALTER TABLE x.t), is
// left out too: applications that do so are to be backed up after it.
//
// A log that was begun anew (RESET MASTER) has places of the same names as before: it is
// told from the earlier one by how far that had come, as the spool knows, and is another
// system's from then on.
//
// What was restored takes the original's place table by table, all by one statement
// (ADR 0086): the copy is in a database beside it, and so is what was put aside. From
// then on the log does not follow on what was captured before.
//
// What is restored runs on a private server that listens on a socket in its own folder
// only, and logs nothing.
package mysql
