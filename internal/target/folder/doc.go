// Package folder keeps backups in a folder: of a disk, or of whatever is mounted there.
package folder
