package measure

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/tsdbutil"
)

// A store that has samples of a time that has not come takes none of now, and
// forgets what is old beside them. Append lets no such sample in; where one got in
// all the same, as before the clock was set back, it is set aside when the store
// is opened: what holds it is moved into a folder beside the blocks, and what is
// real of it is written anew.

const (
	// aheadBy is how much later than its file a sample in memory may be.
	aheadBy = time.Hour
	// deafFor is how long nothing of now is taken before the clock of now is
	// believed more than that of the files: the same clock may have been ahead when
	// it wrote them. One that is behind is set right within that time.
	deafFor = 20 * time.Minute
)

// asideFolder is where what is ahead goes.
func (d *DB) asideFolder() string {
	return filepath.Join(d.opts.Dir, "ahead-"+d.opts.Now().UTC().Format("20060102T150405.000Z"))
}

// blocksAside sets blocks aside that end later than when they were written. Where
// it is the clock that is wrong, and not the block, nothing happens. The store is
// not open yet.
func (d *DB) blocksAside() error {
	ahead := map[string]int64{} // by folder: the end of what is real
	files, err := filepath.Glob(filepath.Join(d.opts.Dir, "*", "meta.json"))
	if err != nil {
		return err
	}
	for _, file := range files {
		var meta tsdb.BlockMeta
		text, err := os.ReadFile(file)
		if err != nil || json.Unmarshal(text, &meta) != nil {
			continue // opening the store says it
		}
		if meta.ULID.String() != filepath.Base(filepath.Dir(file)) {
			continue // half deleted or half made: the store takes it away
		}
		written := d.opts.Now().UnixMilli()
		if !d.sure {
			written = max(written, int64(meta.ULID.Time())) //nolint:gosec // 48 bits
		}
		if real := written + early.Milliseconds(); meta.MaxTime > real {
			ahead[filepath.Dir(file)] = real
		}
	}
	if len(ahead) == 0 {
		return nil
	}
	lock, err := tsdbutil.NewDirLocker(d.opts.Dir, "tsdb", d.opts.Log, nil)
	if err != nil {
		return err
	}
	if err := lock.Lock(); err != nil {
		return err
	}
	defer func() { _ = lock.Release() }()
	for folder, real := range ahead {
		if err := d.rewriteBlock(folder, real); err != nil {
			return err
		}
		if err := d.aside(folder); err != nil {
			return err
		}
	}
	return nil
}

func (d *DB) rewriteBlock(folder string, real int64) error {
	block, err := tsdb.OpenBlock(d.opts.Log, folder, nil, nil)
	if err != nil {
		return err
	}
	defer func() { _ = block.Close() }()
	if block.MinTime() > real {
		return nil
	}
	q, err := tsdb.NewBlockQuerier(block, block.MinTime(), real)
	if err != nil {
		return err
	}
	return d.write(q, block.MinTime(), real)
}

// headAside sets aside what is in memory and in the log, if that is ahead, and
// closes the store then.
func (d *DB) headAside(db *tsdb.DB) (closed bool, err error) {
	head, written := db.Head(), d.opts.Now()
	files, err := filepath.Glob(filepath.Join(d.opts.Dir, "wal", "*"))
	if err != nil {
		return false, err
	}
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && !d.sure && info.ModTime().After(written) {
			written = info.ModTime()
		}
	}
	if head.MaxTime() <= written.Add(aheadBy).UnixMilli() {
		return false, nil
	}
	db.DisableCompactions() // they would go through all times until then
	real := written.Add(early).UnixMilli()
	if from := min(head.MinTime(), head.MinOOOTime()); from <= real {
		q, err := db.Querier(from, real)
		if err != nil {
			return false, err
		}
		if err := d.write(q, from, real); err != nil {
			return false, err
		}
	}
	if err := db.Close(); err != nil {
		return true, err
	}
	// The log goes last: until then all is in it.
	for _, name := range []string{"chunks_head", "wbl", "wal"} {
		if err := d.aside(filepath.Join(d.opts.Dir, name)); err != nil && !os.IsNotExist(err) {
			return true, err
		}
	}
	return true, nil
}

func (d *DB) aside(folder string) error {
	to := d.asideFolder()
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	d.opts.Log.Warn("measures of a time that has not come are set aside; what is real of them is kept", "from", folder, "to", to)
	return os.Rename(folder, filepath.Join(to, filepath.Base(folder)))
}

// write makes a block of all that a querier finds, and closes it.
func (d *DB) write(q storage.Querier, from, to int64) error {
	defer func() { _ = q.Close() }()
	// Series come one after the other, and each sample has to be in the later half
	// of what the writer has.
	w, err := tsdb.NewBlockWriter(d.opts.Log, d.opts.Dir, 2*(to-from)+2)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	ctx, every := context.Background(), labels.MustNewMatcher(labels.MatchRegexp, model.MetricNameLabel, ".*")
	set := q.Select(ctx, false, &storage.SelectHints{Start: from, End: to}, every)
	found := false
	var samples chunkenc.Iterator
	for set.Next() {
		app, series := w.AppenderV2(ctx), set.At()
		samples = series.Iterator(samples)
		for samples.Next() == chunkenc.ValFloat {
			at, v := samples.At()
			if _, err := app.Append(0, series.Labels(), 0, at, v, nil, nil, storage.AOptions{}); err != nil {
				return err
			}
			found = true
		}
		if err := app.Commit(); err != nil {
			return err
		}
	}
	if set.Err() != nil || !found {
		return set.Err()
	}
	_, err = w.Flush(ctx)
	return err
}
