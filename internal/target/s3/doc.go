// Package s3 keeps backups in a bucket of whatever speaks S3. An upload is completed or
// aborted; nobody sees one that is neither.
package s3
