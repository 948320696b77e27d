// Package folder backs up a folder: files, folders and symbolic links, with their modes,
// owners and times. A file that changes while it is read is read again; one that only
// grew counts up to where it was when it was opened; one that gives no rest is taken as
// it was read, and the figures say so. Sockets, pipes and devices are left out, hard
// links become files of their own, holes become zeros, and modes lose set-user-id.
//
// A delta is found against an index in the spool, by size, times and inode, and by the
// hash where these were too young to be trusted. A symbolic link is its text: nothing is
// ever read or written through one, in the source or in what is restored. Memory does
// not grow with the number or size of files, but with the names in one folder.
package folder
