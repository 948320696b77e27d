// Package sftp keeps backups in a folder behind SFTP, on a server whose key is known.
package sftp
