package journal

import "io"

// FS is the directory that a journal lives in, as far as the journal uses one.
// Names are file names without a path. journaltest has one that crashes.
type FS interface {
	Open(name string) (File, error)      // existing, read only
	OpenWrite(name string) (File, error) // existing, read and write
	Create(name string) (File, error)    // new; fails where the name exists
	Rename(from, to string) error        // takes the place of to
	Remove(name string) error
	List() ([]string, error)
	SyncDir() error                      // names are on stable storage when it returns
	Lock(name string) (io.Closer, error) // ErrLocked while another holds it
	Free() (int64, error)                // bytes that can still be allocated
}

// File is one open file.
type File interface {
	io.ReaderAt
	io.WriterAt
	Sync() error    // the data, and the metadata without which it can't be read (fdatasync)
	SyncAll() error // everything (fsync)
	Truncate(size int64) error
	// Zero fills a new file with size zeros, so that a later sync of what is
	// written there needs no change of metadata. It calls each with the bytes
	// done so far, between steps of its own choice, and ends at its first error.
	// SyncAll must follow.
	Zero(size int64, each func(done int64) error) error
	Size() (int64, error)
	Close() error
}
