package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"

	"holdfast/internal/config"
	"holdfast/internal/endpoint"
	"holdfast/internal/journal"
	"holdfast/internal/keyring"
)

func data(c *config.Relay) Finding {
	info, err := os.Stat(c.DataDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return finding("data", OK, "new", "dir", c.DataDir)
	case err != nil:
		return finding("data", Fail, "unreadable", "dir", c.DataDir, "cause", err.Error())
	case !info.IsDir():
		return finding("data", Fail, "file", "dir", c.DataDir)
	}
	mode := fmt.Sprintf("%04o", info.Mode().Perm())
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Getuid() {
		return finding("data", Fail, "owner", "dir", c.DataDir, "owner", st.Uid, "me", os.Getuid())
	}
	if info.Mode().Perm()&0o077 != 0 {
		return finding("data", Warn, "open", "dir", c.DataDir, "mode", mode)
	}
	if err := unix.Access(c.DataDir, unix.W_OK|unix.X_OK); err != nil {
		return finding("data", Fail, "unwritable", "dir", c.DataDir, "cause", err.Error())
	}
	return finding("data", OK, "fine", "dir", c.DataDir, "mode", mode)
}

// nearest is the data folder, or the nearest folder above it that exists.
func nearest(dir string) string {
	for {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			return dir
		}
		dir = up
	}
}

// spare is what should stay free beside the journal, for the view and logs.
const spare = 256 << 20

func space(c *config.Relay) Finding {
	var st unix.Statfs_t
	if err := unix.Statfs(nearest(c.DataDir), &st); err != nil {
		return finding("space", Warn, "unknown", "cause", err.Error())
	}
	free := int64(st.Bavail) * st.Bsize // #nosec G115 -- no disk has 2^63 bytes
	used := folderSize(c.JournalDir)
	pairs := []any{"free", humanize.IBytes(uint64(free)), "limit", humanize.IBytes(uint64(c.Limits.Bytes)), "used", humanize.IBytes(uint64(used))} // #nosec G115 -- not negative
	switch {
	case free < spare || st.Ffree < 1024 && st.Files > 0:
		return finding("space", Fail, "full", pairs...)
	case free+used < c.Limits.Bytes+spare:
		return finding("space", Warn, "short", pairs...)
	default:
		return finding("space", OK, "fine", pairs...)
	}
}

func folderSize(dir string) int64 {
	var n int64
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			if info, err := e.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil // what can't be read counts as nothing
	})
	return n
}

// fileSystems names those that people put data on by mistake, and common ones.
var fileSystems = map[int64]struct {
	name  string
	level Level
}{
	unix.EXT4_SUPER_MAGIC:      {"ext4", OK},
	unix.XFS_SUPER_MAGIC:       {"xfs", OK},
	unix.BTRFS_SUPER_MAGIC:     {"btrfs", OK},
	unix.F2FS_SUPER_MAGIC:      {"f2fs", OK},
	0x2fc12fc1:                 {"zfs", OK},
	unix.OVERLAYFS_SUPER_MAGIC: {"overlay", Warn},
	unix.FUSE_SUPER_MAGIC:      {"fuse", Warn},
	unix.V9FS_MAGIC:            {"9p", Warn},
	unix.NFS_SUPER_MAGIC:       {"nfs", Fail},
	unix.SMB_SUPER_MAGIC:       {"smb", Fail},
	unix.SMB2_SUPER_MAGIC:      {"smb", Fail},
	unix.CIFS_SUPER_MAGIC:      {"cifs", Fail},
	unix.TMPFS_MAGIC:           {"tmpfs", Fail},
	unix.RAMFS_MAGIC:           {"ramfs", Fail},
}

// How often the disk is flushed to measure it, and for how long at most; and
// the times outside of which a flush is slow, or too fast to be one.
const (
	flushes   = 40
	flushTime = 2 * time.Second
	slowFlush = 20 * time.Millisecond
	noFlush   = 8 * time.Microsecond
)

func disk(c *config.Relay) Finding {
	dir := nearest(c.DataDir)
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return finding("disk", Warn, "unknown", "dir", dir, "cause", err.Error())
	}
	kind, known := fileSystems[st.Type]
	if !known {
		kind.name, kind.level = fmt.Sprintf("%#x", st.Type), OK
	}
	took, err := flushTimes(dir)
	if err != nil {
		return finding("disk", Fail, "unwritable", "dir", dir, "cause", err.Error())
	}
	median, worst := took[len(took)/2], took[len(took)-1]
	pairs := []any{"kind", kind.name, "median", short(median), "worst", short(worst), "count", len(took)}
	switch {
	case kind.level == Fail:
		return finding("disk", Fail, "kind", pairs...)
	case kind.level == Warn:
		return finding("disk", Warn, "doubtful", pairs...)
	case median < noFlush:
		return finding("disk", Warn, "unflushed", pairs...)
	case median > slowFlush:
		return finding("disk", Warn, "slow", pairs...)
	default:
		return finding("disk", OK, "fine", pairs...)
	}
}

func short(d time.Duration) string {
	if d < time.Millisecond {
		return fmt.Sprintf("%d µs", d.Microseconds())
	}
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

// flushTimes writes and flushes a small file over and over, as the journal
// does, and returns the times in order.
func flushTimes(dir string) ([]time.Duration, error) {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page := make([]byte, 4096)
	var took []time.Duration
	for begin := time.Now(); len(took) < flushes && (len(took) == 0 || time.Since(begin) < flushTime); {
		page[0]++
		if _, err := f.WriteAt(page, 0); err != nil {
			return nil, err
		}
		start := time.Now()
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return nil, err
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took, nil
}

func key(c *config.Relay) Finding {
	_, err := keyring.Load(c.MasterKeyFile)
	switch {
	case err == nil:
		return finding("key", OK, "fine", "file", c.MasterKeyFile)
	case !errors.Is(err, fs.ErrNotExist):
		return finding("key", Fail, "bad", "file", c.MasterKeyFile, "cause", err.Error())
	case folderSize(c.JournalDir) > 0:
		return finding("key", Fail, "missing", "file", c.MasterKeyFile)
	default:
		return finding("key", OK, "new", "file", c.MasterKeyFile)
	}
}

func token(c *config.Relay) Finding {
	_, err := endpoint.ReadToken(c.TokenFile)
	switch {
	case err == nil:
		return finding("token", OK, "fine", "file", c.TokenFile)
	case errors.Is(err, fs.ErrNotExist):
		return finding("token", OK, "new", "file", c.TokenFile)
	default:
		return finding("token", Fail, "bad", "file", c.TokenFile, "cause", err.Error())
	}
}

// verifyTime is how long a journal is read; a larger one is for `holdfast
// journal verify`.
const verifyTime = 15 * time.Second

func journalFiles(ctx context.Context, c *config.Relay) Finding {
	type result struct {
		report journal.Report
		err    error
	}
	start := time.Now()
	done := make(chan result, 1)
	go func() {
		r, err := journal.Verify(journal.Dir(c.JournalDir))
		done <- result{r, err}
	}()
	ctx, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	var r result
	select {
	case <-ctx.Done():
		return finding("journal", Skip, "large", "dir", c.JournalDir)
	case r = <-done:
	}
	switch {
	case errors.Is(r.err, fs.ErrNotExist):
		return finding("journal", OK, "new", "dir", c.JournalDir)
	case r.err != nil:
		return finding("journal", Fail, "unreadable", "dir", c.JournalDir, "cause", r.err.Error())
	case r.report.Damaged():
		n := 0
		for _, f := range r.report.Findings {
			if f.Damage {
				n++
			}
		}
		return finding("journal", Fail, "damaged", "dir", c.JournalDir, "count", n)
	default:
		return finding("journal", OK, "fine", "entries", r.report.Entries,
			"segments", r.report.Used(), "spare", len(r.report.Segments)-r.report.Used(), "took", short(time.Since(start)))
	}
}
