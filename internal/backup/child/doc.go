// Package child runs the programs that come with a database: they end when Holdfast does,
// however it ends, and what they said of a disk that is full, or of what this machine does
// not let them do, can be told from what is wrong with a backup.
package child
