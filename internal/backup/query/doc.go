// Package query backs up what SQL queries give, from PostgreSQL, MySQL, MariaDB or
// SQLite: all of them in one transaction that only reads. What is restored is an SQLite
// file with a table for each query, to look things up in; it does not go back to where it
// came from. Numbers with decimals, times and what else SQLite has no type for are text,
// as exact as the source gave them.
package query
