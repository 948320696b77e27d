// Package postgres starts a PostgreSQL server of this machine's packages for a demo: in
// a folder of its own, on one loopback port, with one superuser. Its data is on disk
// before it answers, as a company's would be, and its log of changes can be followed.
package postgres
