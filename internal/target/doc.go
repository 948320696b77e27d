// Package target is where backups lie: what every kind of place does alike, its errors,
// and which names files have. Kinds are the packages below: a folder, an S3 bucket, a
// folder behind SFTP; package open makes one of its address.
//
// A file is there whole or not at all. What a Put left behind that did not come to its
// end is seen by nobody, and swept up later.
package target
